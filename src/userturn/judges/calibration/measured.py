"""Reference turns measured as stage `ground` measures turns, and judged three times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from userturn.artifacts.labels import Label
from userturn.chat.chat import Chat
from userturn.judges.calibration import fit
from userturn.judges.calibration.fit import Example
from userturn.judges.calibration.reference import Reference
from userturn.judges.likelihood import calibration
from userturn.judges.likelihood.calibration import HeldOut
from userturn.judges.likelihood.evidence import Evidence
from userturn.judges.likelihood.judge import Verdict
from userturn.judges.likelihood.rules import rule
from userturn.measures.measurable import Measurable
from userturn.measures.measure import measure_all
from userturn.measures.scorer import Scorer
from userturn.study.classify import FITTED_CALIBRATION
from userturn.study.study import Study


@dataclass(frozen=True, slots=True)
class Judgements:
    """What judges say of each turn; None where there is nothing to fit on.

    Attributes:
        given: The judge of the study; where that is fitted on these very turns, `fitted` again.
        fitted: A judge fitted on other folds.
        elsewhere: A judge fitted on other sources.
    """

    given: Sequence[Verdict | None]
    fitted: Sequence[Verdict | None]
    elsewhere: Sequence[Verdict | None]

    def of(self, number: int) -> dict[str, Any]:
        """Columns of kind `reference` of one turn."""
        row: dict[str, Any] = {}
        for name in ("given", "fitted", "elsewhere"):
            said = getattr(self, name)[number]
            row[name] = str(said.label) if said and said.label else None
            row[f"{name}_probability"] = said.probability if said else None
        return row


@dataclass(frozen=True, slots=True)
class MeasuredReference:
    """A reference turn with its columns of `schemas.measured`."""

    reference: Reference
    measures: Mapping[str, Any]

    def example(self, folds: int) -> Example:
        """The turn as the fit takes it."""
        one = self.reference
        return Example(
            label=one.label,
            evidence=Evidence.of(_texts(one), self.measures),
            fold=one.fold(folds),
            source=one.source,
            read=one.read,
            sure=one.sure,
        )

    def row(self, judged: Mapping[str, Any], folds: int) -> dict[str, Any]:
        """A row of kind `reference`.

        Args:
            judged: What judges say of it, see `Judgements.of`.
            folds: Number of folds.
        """
        one = self.reference
        return {
            **self.measures,
            **judged,
            "set": one.set,
            "item": one.item,
            "kind": one.kind,
            "number": one.number,
            "source": one.source,
            "fold": one.fold(folds),
            "label": str(one.label),
            "sure": one.sure,
            "condition": one.condition,
            "temperature": one.temperature,
            "query": one.query,
            "answer": one.answer,
            "turn": one.text,
            "end": one.end,
        }

    def held_out(self, verdict: Verdict | None) -> HeldOut | None:
        """How a fit without its prompt judged it; None where its label is not by reading."""
        one = self.reference
        if not one.read or verdict is None or verdict.probability is None:
            return None
        return HeldOut(
            set=one.set,
            prompt=one.item,
            followup=one.label is Label.FOLLOWUP,
            labelled=verdict.label is Label.FOLLOWUP,
            probability=verdict.probability,
            temperature=one.temperature,
            condition=one.condition,
        )


def measure_references(
    references: Sequence[Reference], scorer: Scorer, study: Study
) -> list[MeasuredReference]:
    """Each reference turn with its measures, by the code of stage `ground`."""
    turns = measurables(references, scorer.chat)
    by_key = {
        turn.key: measures for turn, measures in measure_all(study, turns, scorer, "calibrate")
    }
    return [
        MeasuredReference(one, by_key[turn.key])
        for one, turn in zip(references, turns, strict=True)
    ]


def measurables(references: Sequence[Reference], chat: Chat) -> list[Measurable]:
    """Each reference turn as it is measured.

    Turns made by rule that a rule on their text decides are not scored, which saves most of the
    cost: the judge would not read their likelihoods.
    """
    turns = []
    for one in references:
        bare = Evidence(one.text, one.end, one.query, one.answer)
        scored = one.text.strip() and (one.read or rule(bare) is None)
        tokens = chat.encode_turn(one.text) if scored else ()
        key = (one.set, one.item, one.kind, one.number)
        turns.append(Measurable(key, one.query, one.answer, one.text, tokens))
    return turns


def judge_references(study: Study, examples: Sequence[Example]) -> Judgements:
    """What the judge of the study, and judges fitted on other turns, say of each turn."""
    fitted = fit.cross_fitted(examples, [one.fold for one in examples])
    elsewhere = fit.cross_fitted(examples, [one.source for one in examples])
    given: Sequence[Verdict | None] = fitted
    if study.classify.likelihood.calibration != FITTED_CALIBRATION:
        shipped = calibration.of_study(study)
        given = [one.judged(shipped) for one in examples]
    return Judgements(given, fitted, elsewhere)


def _texts(one: Reference) -> dict[str, Any]:
    return {"text": one.text, "end": one.end, "query": one.query, "answer": one.answer}

"""Reference turns measured as stage `ground` measures turns, and judged three times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from userturn.artifacts import schemas
from userturn.artifacts.schemas import BASE
from userturn.judges.calibration import fit
from userturn.judges.calibration.fit import Example, Judged
from userturn.judges.calibration.reference import TRUE, Reference
from userturn.judges.likelihood import calibration
from userturn.judges.likelihood import rules as likelihood
from userturn.judges.likelihood.evidence import Evidence
from userturn.measures import overlap
from userturn.measures.measurable import Measurable
from userturn.measures.measure import measure_all, row
from userturn.measures.scorer import Scorer
from userturn.study.classify import FITTED_CALIBRATION
from userturn.study.study import Study

CUT = "truncate"
"""Condition of `rest`: its cut answer is compared with other cut answers."""

ALWAYS_MEASURED = (TRUE, "moved")
"""Kinds whose measures are compared; of the others, what rules on the text settle costs nothing."""


@dataclass(frozen=True, slots=True)
class MeasuredReference:
    """A reference turn with its row of kind `grounding`."""

    reference: Reference
    measures: dict[str, Any]

    @property
    def evidence(self) -> Evidence:
        """What the likelihood judge reads of it."""
        return evidence_of(self.reference, self.measures)

    def example(self, folds: int) -> Example:
        """The turn as the fit takes it."""
        one = self.reference
        return Example(one.label, self.evidence, one.at.fold(folds))

    def row(self, verdicts: dict[str, Judged | None], folds: int) -> dict[str, Any]:
        """A row of kind `reference`.

        Args:
            verdicts: What a judge says of it, one entry per name of quality.CALIBRATIONS.
            folds: Number of folds.
        """
        one = self.reference
        labels = {
            name: str(said.label) if said and said.label else None
            for name, said in verdicts.items()
        }
        chances = {
            f"{name}_probability": said.probability if said else None
            for name, said in verdicts.items()
        }
        return {
            **{
                name: self.measures[name]
                for name in schemas.columns("reference")
                if name in self.measures
            },
            **labels,
            **chances,
            "set": one.at.source,
            "item": one.item,
            "kind": one.kind,
            "label": str(one.label),
            "fold": one.at.fold(folds),
            "query": one.at.query,
            "answer": one.answer,
            "turn": one.text,
            "word_overlap": overlap.content_overlap(one.text, one.answer) if one.text else None,
        }


def evidence_of(one: Reference, measures: dict[str, Any]) -> Evidence:
    """What the likelihood judge reads of a reference turn."""
    return Evidence.of(one.text, "eos" if one.text else "empty", one.answer, measures)


def measure_references(
    made: Sequence[Reference], scorer: Scorer, study: Study
) -> list[MeasuredReference]:
    """Each reference turn with its measures, by the code of stage `ground`."""
    turns = []
    for one in made:
        condition = CUT if one.answer != one.at.answer else BASE
        key = (one.at.source, one.item, condition, 0.0, one.kind)
        bare = Measurable(key, one.at.query, one.answer, one.answer, one.text, ())
        ruled = likelihood.rules(
            evidence_of(one, row(bare, {})), study.classify.likelihood, role_voice=0
        )
        scored = one.kind in ALWAYS_MEASURED or ruled is None or ruled[0] is None
        turns.append(replace(bare, tokens=scorer.chat.encode_content(one.text)) if scored else bare)
    by_key = {
        turn.key: row(turn, log_p) for turn, log_p in measure_all(study, turns, scorer, "calibrate")
    }
    return [MeasuredReference(one, by_key[turn.key]) for one, turn in zip(made, turns, strict=True)]


def judge_references(
    study: Study, measured: Sequence[MeasuredReference]
) -> dict[str, list[Judged | None]]:
    """What judges say of each turn, by the names of quality.CALIBRATIONS.

    `fitted` is by a judge fitted on other folds, `elsewhere` by one fitted on other sets, `given`
    by the judge of the study: where that is fitted on these very turns, the first one again.
    """
    examples = [one.example(study.calibrate.folds) for one in measured]
    thresholds, aim = study.classify.likelihood, study.calibrate.precision
    folds = [one.group for one in examples]
    sets = [one.reference.at.source for one in measured]
    fitted = fit.cross_fitted(examples, folds, thresholds, aim)
    given = fitted
    if thresholds.calibration != FITTED_CALIBRATION:
        given = [*fit.judged(examples, thresholds, calibration.of_study(study))]
    elsewhere = fit.cross_fitted(examples, sets, thresholds, aim)
    return {"fitted": fitted, "elsewhere": elsewhere, "given": given}

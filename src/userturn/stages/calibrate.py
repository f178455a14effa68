"""Stage `calibrate`: what the likelihood judge is worth on turns whose label is known.

Every reference turn is measured as stage `ground` measures, then labelled three times: by the
judge of the study, by one fitted on other conversations, and by one fitted on other sets. The last
two are the honest estimates for `calibration.json`, which is fitted on all of them, and takes part
in nothing unless `classify.likelihood.calibration` names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from userturn import artifacts
from userturn.artifacts import BASE
from userturn.base import paths
from userturn.judges.calibration import evaluation, fit, reference
from userturn.judges.calibration.fit import Example, Judged
from userturn.judges.calibration.reference import Reference
from userturn.judges.likelihood import calibration
from userturn.judges.likelihood import rules as likelihood
from userturn.judges.likelihood.evidence import MEASURES, Evidence
from userturn.measures import overlap
from userturn.measures.grounding import Turn, measure_all, row
from userturn.measures.scorer import Scorer
from userturn.models import weights
from userturn.study.classify import FITTED_CALIBRATION
from userturn.study.slices import slice_of
from userturn.study.study import Study

CUT = "truncate"
"""Condition of `rest`: its cut answer is compared with other cut answers."""

ALWAYS_MEASURED = (reference.TRUE, "moved")
"""Kinds whose measures are compared; of the others, what rules on the text settle costs nothing."""

Measured = tuple[Reference, dict[str, Any]]
"""A reference turn with its row of artifacts.GROUNDING."""


def run(study: Study) -> None:
    """Measure, fit and judge the reference turns; write `data/calibration/`.

    Raises:
        SourceError: A reference set cannot be read.
        EngineError: The scorer cannot be loaded.
    """
    folds = study.calibrate.folds
    made = reference.make(reference.read(study), folds)
    with Scorer(study, "calibrate") as scorer:
        measured = measure_references(made, scorer, study)
    examples = [example(pair, folds) for pair in measured]
    thresholds, aim = study.classify.likelihood, study.calibrate.precision
    fitted = fit.fit(examples, thresholds, aim, _origin(study, made))
    within: dict[str, list[Any]] = {
        "fitted": [one.group for one in examples],
        "elsewhere": [o.at.source for o in made],
    }
    said = {
        name: fit.cross_fitted(examples, values, thresholds, aim) for name, values in within.items()
    }
    if thresholds.calibration == FITTED_CALIBRATION:
        said["given"] = said["fitted"]  # what the study uses was fitted on these very turns
    else:
        said["given"] = [*fit.judged(examples, thresholds, calibration.of_study(study))]
    rows = [
        _row(pair, {name: found[number] for name, found in said.items()}, folds)
        for number, pair in enumerate(measured)
    ]
    _write(study, rows, scorer)
    fitted.write(paths.CALIBRATION / "calibration.json")
    evaluation.write(artifacts.read(paths.REFERENCE_TURNS, "reference"), study, paths.CALIBRATION)


def measure_references(made: Sequence[Reference], scorer: Scorer, study: Study) -> list[Measured]:
    """Each reference turn with its row of artifacts.GROUNDING, by the code of stage `ground`."""
    turns = []
    for one in made:
        condition = CUT if one.answer != one.at.answer else BASE
        key = (one.at.source, one.item, condition, 0.0, one.kind)
        bare = Turn(key, one.at.query, one.answer, one.answer, one.text, ())
        ruled = likelihood.rules(
            evidence((one, row(bare, None))), study.classify.likelihood, role_voice=0
        )
        scored = one.kind in ALWAYS_MEASURED or ruled is None or ruled[0] is None
        turns.append(replace(bare, tokens=scorer.chat.encode_content(one.text)) if scored else bare)
    measures = measure_all(study, turns, scorer, "calibrate")
    found = {turn.key: row(turn, likelihoods) for turn, likelihoods in measures}
    return [(one, found[turn.key]) for one, turn in zip(made, turns, strict=True)]


def evidence(pair: Measured) -> Evidence:
    """What the likelihood judge reads of a reference turn."""
    one, measures = pair
    return Evidence(
        text=one.text,
        end="eos" if one.text else "empty",
        answer=one.answer,
        **{name: measures[name] for name in MEASURES},
    )


def example(pair: Measured, folds: int) -> Example:
    """A reference turn as the fit takes it."""
    return Example(pair[0].label, evidence(pair), pair[0].at.fold(folds))


def _origin(study: Study, made: Sequence[Reference]) -> dict[str, Any]:
    """What `calibration.json` says of its origin, beside numbers of turns."""
    return {
        "scorer": weights.identity(study, study.ground.scorer),
        "sets": study.calibrate.sets,
        "conversations": len({(one.at.source, one.item) for one in made}),
        "precision": study.calibrate.precision,
        "ground": study.ground.model_dump(include={"swaps", "others"}),
    }


def _row(pair: Measured, said: dict[str, Judged | None], folds: int) -> dict[str, Any]:
    """A row of artifacts.REFERENCE; `said` has one entry per name of evaluation.CALIBRATIONS."""
    one, measures = pair
    kept = {name: measures[name] for name in artifacts.REFERENCE if name in measures}
    labels = {name: found and found.label and str(found.label) for name, found in said.items()}
    chances = {f"{name}_probability": found and found.probability for name, found in said.items()}
    return {
        **kept,
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


def _write(study: Study, rows: Iterable[dict[str, Any]], scorer: Scorer) -> None:
    artifacts.write(
        paths.REFERENCE_TURNS,
        "reference",
        rows,
        artifacts.provenance(
            "calibrate",
            slice_of(study, "calibrate"),
            weights=weights.identity(study, study.ground.scorer),
            chat_template=scorer.chat.template_hash,
            engine=scorer.describe(),
        ),
    )

"""Stage `calibrate`: what the likelihood judge is worth on turns whose label is known.

Every reference turn is measured as stage `ground` measures, then labelled three times: by the
judge of the study, by one fitted on other conversations, and by one fitted on other sets. The last
two are the honest estimates for `calibration.json`, which is fitted on all of them, and takes part
in nothing unless `classify.likelihood.calibration` names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from userturn.artifacts import files, provenance
from userturn.base import paths
from userturn.judges.calibration import fit, quality, reference
from userturn.judges.calibration.measured import judge_references, measure_references
from userturn.judges.calibration.reference import Reference
from userturn.measures.scorer import Scorer
from userturn.models import weights
from userturn.study.slices import slice_of
from userturn.study.study import Study


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
    verdicts = judge_references(study, measured)
    fitted = fit.fit(
        [one.example(folds) for one in measured],
        study.classify.likelihood,
        study.calibrate.precision,
        _origin(study, made),
    )
    rows = [
        one.row({name: said[number] for name, said in verdicts.items()}, folds)
        for number, one in enumerate(measured)
    ]
    files.write(paths.REFERENCE_TURNS, "reference", rows, _provenance(study, scorer))
    fitted.write(paths.CALIBRATION / "calibration.json")
    quality.write(files.read(paths.REFERENCE_TURNS, "reference"), study, paths.CALIBRATION)


def _origin(study: Study, made: Sequence[Reference]) -> dict[str, Any]:
    """What `calibration.json` says of its origin, beside numbers of turns."""
    return {
        "scorer": weights.identity(study, study.ground.scorer),
        "sets": study.calibrate.sets,
        "conversations": len({(one.at.source, one.item) for one in made}),
        "precision": study.calibrate.precision,
        "ground": study.ground.model_dump(include={"swaps", "others"}),
    }


def _provenance(study: Study, scorer: Scorer) -> dict[str, Any]:
    return provenance.of(
        "calibrate",
        slice_of(study, "calibrate"),
        weights=weights.identity(study, study.ground.scorer),
        chat_template=scorer.chat.template_hash,
        engine=scorer.describe(),
    )

"""Stage `calibrate`: what the likelihood judge is worth on turns whose label is known.

Every reference turn is measured as stage `ground` measures, then labelled three times: by the
judge of the study, by one fitted on other prompts, and by one fitted on other sets. The last two
are the honest estimates for `calibration.json`, which is fitted on all turns with labels by
reading, and takes part in nothing unless `classify.likelihood.calibration` names it.
"""

from __future__ import annotations

from typing import Any

from userturn.artifacts import files, provenance
from userturn.base import paths
from userturn.judges.calibration import fit, quality, sets
from userturn.judges.calibration.measured import judge_references, measure_references
from userturn.measures.scorer import Scorer
from userturn.models import weights
from userturn.study.slices import slice_of
from userturn.study.study import Study


def run(study: Study) -> None:
    """Measure, judge and fit the reference turns; write `data/calibration/`.

    Raises:
        SourceError: A reference set cannot be read.
        EngineError: The scorer cannot be loaded.
    """
    folds = study.calibrate.folds
    references = sets.read(study)
    with Scorer(study, "calibrate") as scorer:
        measured = measure_references(references, scorer, study)
    examples = [one.example(folds) for one in measured]
    judged = judge_references(study, examples)
    held_out = [one.held_out(said) for one, said in zip(measured, judged.fitted, strict=True)]
    fitted = fit.fit(examples, _origin(study), [*filter(None, held_out)])
    rows = [one.row(judged.of(number), folds) for number, one in enumerate(measured)]
    files.write(paths.REFERENCE_TURNS, "reference", rows, _provenance(study, scorer))
    fitted.write(paths.CALIBRATION / "calibration.json")
    quality.write(files.read(paths.REFERENCE_TURNS, "reference"), study, paths.CALIBRATION)


def _origin(study: Study) -> dict[str, Any]:
    """What `calibration.json` says of its origin, beside numbers of turns."""
    return {
        "scorer": weights.identity(study, study.ground.scorer),
        "neutral": study.ground.neutral,
        "sets": [slug for slug in study.calibrate.sets if study.reference[slug].turns],
    }


def _provenance(study: Study, scorer: Scorer) -> dict[str, Any]:
    return provenance.of(
        "calibrate",
        slice_of(study, "calibrate"),
        weights=weights.identity(study, study.ground.scorer),
        chat_template=scorer.chat.template_hash,
        engine=scorer.describe(),
    )

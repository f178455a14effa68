"""The likelihood judge: the one that asks no language model for a label."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from typing import Any

from userturn.judges.kinds import Row, Turns, label_row
from userturn.judges.likelihood import calibration
from userturn.judges.likelihood.calibration import Calibration
from userturn.judges.likelihood.evidence import Evidence
from userturn.judges.likelihood.judge import judge as judge_turn
from userturn.study.classify import FITTED_CALIBRATION
from userturn.study.study import Study


def label(study: Study, judge: str, stage: str, turns: Turns) -> tuple[list[Row], Row]:
    """Rules on the text, then trees over the measures, see judges/likelihood.

    Raises:
        ArtifactError: The calibration is missing or is none.
    """
    fitted = calibration.of_study(study)
    rubric = rubric_of(fitted)
    rows = [
        label_row(turn, judge, rubric, **_said(turn, measures, fitted))
        for turn, measures in zip(turns.rows, turns.measures, strict=True)
    ]
    theirs, neutral = str(fitted.origin.get("scorer")), fitted.origin.get("neutral")
    # The number format may differ.
    same_scorer = theirs.rpartition("/")[0] == turns.scorer.rpartition("/")[0]
    fits = same_scorer and neutral == study.ground.neutral
    if not fits:  # such likelihoods have another scale
        print(
            f"{stage}: {study.classify.likelihood.calibration} was fitted on likelihoods of "
            f"{theirs} with neutral answers {neutral}, these are of {turns.scorer} with "
            f"{study.ground.neutral}: the labels of the judge '{judge}' are not calibrated; set "
            f"classify.likelihood.calibration to {FITTED_CALIBRATION}",
            file=sys.stderr,
        )
    return rows, {"calibration": fitted.origin, "fits_scorer": fits}


def rubric_of(fitted: Calibration) -> str:
    """Hash (16 hexadecimal digits) of all numbers that decide."""
    canonical = fitted.model_dump_json(exclude={"origin", "held_out"})
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _said(turn: Row, measures: Mapping[str, Any], fitted: Calibration) -> Row:
    """The label and what gave it, or why there is none."""
    if turn["skipped"] is not None:
        return {"invalid": turn["skipped"]}
    verdict = judge_turn(Evidence.of(turn, measures), fitted)
    if verdict.label is None:
        return {"invalid": verdict.reason}
    return {
        "label": verdict.label,
        "reason": verdict.reason,
        "probability": verdict.probability,
    }


JUDGE = label

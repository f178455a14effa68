"""The likelihood judge: the one that asks no language model for a label."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from typing import Any

from userturn.judges.kinds import Row, Turns, label_row
from userturn.judges.likelihood import calibration, rules
from userturn.judges.likelihood.calibration import Calibration
from userturn.judges.likelihood.evidence import Evidence
from userturn.study.classify import FITTED_CALIBRATION, LikelihoodThresholds
from userturn.study.study import Study


def label(study: Study, judge: str, stage: str, turns: Turns) -> tuple[list[Row], Row]:
    """Rules on the text, then the classifier over the measures, see judges/likelihood.

    Raises:
        ArtifactError: The calibration is missing or is none.
    """
    thresholds, fitted = study.classify.likelihood, calibration.of_study(study)
    rubric = rubric_of(thresholds, fitted)
    rows = [
        label_row(turn, judge, rubric, **_said(turn, measures, thresholds, fitted))
        for turn, measures in zip(turns.rows, turns.measures, strict=True)
    ]
    theirs = str(fitted.origin.get("scorer"))
    # The number format may differ.
    fits = theirs.rpartition("/")[0] == turns.scorer.rpartition("/")[0]
    if not fits:  # likelihoods of another scorer have another scale
        print(
            f"{stage}: {thresholds.calibration} was fitted on likelihoods of {theirs}, these are "
            f"of {turns.scorer}: the labels of the judge '{judge}' are not calibrated; set "
            f"classify.likelihood.calibration to {FITTED_CALIBRATION}",
            file=sys.stderr,
        )
    return rows, {"calibration": fitted.origin, "fits_scorer": fits}


def rubric_of(thresholds: LikelihoodThresholds, fitted: Calibration) -> str:
    """Hash (16 hexadecimal digits) of all numbers that decide; their origin does not change it."""
    chosen = thresholds.model_dump_json(exclude={"origin", "calibration"})
    canonical = chosen + fitted.model_dump_json(exclude={"origin"})
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _said(
    turn: Row, measures: Mapping[str, Any], thresholds: LikelihoodThresholds, fitted: Calibration
) -> Row:
    """The label and what gave it, or why there is none."""
    if turn["skipped"] is not None:
        return {"invalid": turn["skipped"]}
    evidence = Evidence.of(turn["text"] or "", turn["end"], turn["shown"] or "", measures)
    named, reason = rules.judge(evidence, thresholds, fitted)
    return {"label": named, "reason": reason} if named else {"invalid": reason}


JUDGE = label

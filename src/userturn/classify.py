"""Labels: every judge of the study reads every user turn of a model."""

from __future__ import annotations

import hashlib
from typing import Any

from userturn import artifacts, paths
from userturn.errors import ArtifactError
from userturn.grounding import read_turns
from userturn.judges import likelihood
from userturn.params import LikelihoodThresholds, Study

LIKELIHOOD = "likelihood"


def run(study: Study, slug: str) -> None:
    """Stage `classify@<slug>`: label the user turns of one model.

    Reads prompts, answers, user turns, controls and grounding; writes
    `data/labels/<slug>.parquet`, one row per turn and judge.

    Raises:
        ArtifactError: An artifact is missing, corrupt, or from another study.
    """
    path = paths.artifact("grounding", slug)
    measures = {
        tuple(row[name] for name in artifacts.TURN_KEY): row
        for row in artifacts.read(path, "grounding").iter_rows(named=True)
    }
    thresholds = study.classify.likelihood
    rubric = rubric_of(thresholds)
    rows: list[dict[str, Any]] = []
    for turn in read_turns(study, slug):
        key = {name: turn[name] for name in artifacts.TURN_KEY}
        measured = measures.get(tuple(key.values()))
        if measured is None:
            identity = ", ".join(f"{name}={value}" for name, value in key.items())
            raise ArtifactError(f"{path}: lacks the turn {identity}; run `dvc repro`")
        if turn["skipped"] is not None:
            label, invalid, reason = None, turn["skipped"], None
        else:
            label, invalid, reason = _likelihood(turn, measured, thresholds)
        rows.append(
            {
                **key,
                "judge": LIKELIHOOD,
                "label": label,
                "invalid": invalid,
                "reason": reason,
                "rubric": rubric,
            }
        )
    params = {"classify": study.classify.model_dump()}
    artifacts.write(
        paths.artifact("labels", slug),
        "labels",
        rows,
        artifacts.provenance(f"classify@{slug}", params),
    )


def rubric_of(thresholds: LikelihoodThresholds) -> str:
    """Hash (16 hexadecimal digits) of the thresholds; where they come from does not change it."""
    canonical = thresholds.model_dump_json(exclude={"origin"})
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _likelihood(
    turn: dict[str, Any], measured: dict[str, Any], thresholds: LikelihoodThresholds
) -> tuple[str | None, str | None, str | None]:
    """Label, why there is none, and the rule that fired."""
    evidence = likelihood.Evidence(
        text=turn["text"] or "",
        end=turn["end"],
        answer=turn["shown"] or "",
        **{name: measured[name] for name in likelihood.MEASURES},
    )
    label, reason = likelihood.judge(evidence, thresholds)
    return (label, None, reason) if label else (None, reason, None)

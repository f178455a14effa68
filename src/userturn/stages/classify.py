"""Stage `classify`: every judge of the study labels every user turn of a model."""

from __future__ import annotations

from typing import Any

from userturn.artifacts import files, provenance, schemas
from userturn.artifacts.turns import compared
from userturn.base import paths
from userturn.base.errors import ArtifactError
from userturn.judges import kinds
from userturn.judges.kinds import Row, Turns
from userturn.study.slices import slice_of
from userturn.study.study import Study


def run(study: Study, slug: str) -> None:
    """Stage `classify@<slug>`: label the user turns of one model.

    Reads prompts, answers, user turns, controls and grounding; writes
    `data/labels/<slug>.parquet`, one row per turn, answer it is judged against, and judge.

    Raises:
        ArtifactError: An artifact is missing, corrupt, or from another study.
        EngineError: An LLM judge cannot be reached or breaks; what it replied stays stored.
        JudgeError: An LLM judge has reached its cost ceiling; what it replied stays stored.
    """
    stage = f"classify@{slug}"
    turns = read(study, slug)
    rows: list[Row] = []
    facts: dict[str, Any] = {}
    for judge in study.classify.judges:
        labelled, facts[judge] = kinds.judge_of(study, judge)(study, judge, stage, turns)
        rows += labelled
    files.write(
        paths.artifact("labels", slug),
        "labels",
        rows,
        provenance.of(stage, slice_of(study, stage), judges=facts),
    )


def read(study: Study, slug: str) -> Turns:
    """The user turns of one model with their measures.

    Raises:
        ArtifactError: An artifact is missing, corrupt, from another study, or lacks a turn.
    """
    path = paths.artifact("grounding", slug)
    measures = {
        tuple(row[name] for name in schemas.AGAINST_KEY): row
        for row in files.read(path, "grounding").iter_rows(named=True)
    }
    rows = compared(study, slug)
    keys = [tuple(turn[name] for name in schemas.AGAINST_KEY) for turn in rows]
    for key in keys:
        if key not in measures:
            named = zip(schemas.AGAINST_KEY, key, strict=True)
            turn = ", ".join(f"{name}={value}" for name, value in named)
            raise ArtifactError(f"{path}: lacks the turn {turn}; run `dvc repro`")
    scorer = str(provenance.read(path).get("weights"))
    return Turns(rows, [measures[key] for key in keys], scorer)

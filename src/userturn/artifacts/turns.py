"""The one reader of user turns: every condition of a model, with query and answers."""

from __future__ import annotations

from typing import Any

from userturn import artifacts
from userturn.artifacts import SWAP
from userturn.base import paths
from userturn.base.errors import ArtifactError
from userturn.study.study import Study

Key = tuple[str, str]
"""Dataset and item."""


def read_turns(study: Study, slug: str) -> list[dict[str, Any]]:
    """User turns of every condition of one model, as rows of artifacts.USER_TURNS.

    Returns:
        The rows, each with `query`, `own` (the answer to its prompt under its condition; under
        `swap` the unperturbed one) and `shown` (the answer that its context showed) beside it.

    Raises:
        ArtifactError: An artifact is missing, corrupt, or from another study.
    """
    queries: dict[Key, str] = {}
    for dataset in study.prompts.datasets:
        prompts = artifacts.read(paths.artifact("prompts", dataset), "prompts")
        queries |= {(p["dataset"], p["item"]): p["text"] for p in prompts.iter_rows(named=True)}
    answers = {
        (a["dataset"], a["item"]): a["text"]
        for a in artifacts.read(paths.artifact("answers", slug), "answers").iter_rows(named=True)
    }
    found: list[dict[str, Any]] = []
    for kind in ("user_turns", "controls"):
        path = paths.artifact(kind, slug)
        for turn in artifacts.read(path, kind).iter_rows(named=True):
            key = turn["dataset"], turn["item"]
            if key not in queries or key not in answers:
                raise ArtifactError(
                    f"{path}: holds a turn of {key[0]}, item {key[1]}, which the study's prompts "
                    "or answers lack; it is from another study: run `dvc repro`"
                )
            shown = turn.pop("answer", answers[key])
            own = answers[key] if turn["condition"] == SWAP else shown
            found.append({**turn, "query": queries[key], "own": own, "shown": shown})
    return found

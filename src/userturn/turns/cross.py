"""Whose answer: user turns behind the answers of other sources to the same prompts.

The answers are those that are stored, so nothing is answered twice: a source is the dataset's
reference, or another model of the study. The writer's own template renders them, as if they were
its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from userturn.artifacts.schemas import BEHIND
from userturn.study.generate import REFERENCE
from userturn.study.study import Study
from userturn.turns.grid import TurnKey
from userturn.turns.planner import NO_REFERENCE, Draft, Planner, Shown

Row = Mapping[str, Any]


def models_of(study: Study, slug: str) -> list[str]:
    """The other models behind whose answers a model writes."""
    return [source for source in study.sources_of(slug) if source != REFERENCE]


def source_of(condition: str) -> str:
    """The source whose answers a condition shows.

    >>> source_of("behind_reference")
    'reference'
    """
    return condition.removeprefix(BEHIND)


def cross_turns(
    planner: Planner, slug: str, items: Sequence[Row], answers: Mapping[str, Iterable[Row]]
) -> list[Draft[TurnKey]]:
    """What a model is asked for behind the answers of other sources.

    Args:
        planner: The model's planner.
        slug: The model.
        items: Rows of kind `prompts`.
        answers: Rows of kind `answers` of each of `models_of`.
    """
    shown: dict[tuple[str, str, str], Shown] = {}
    for source in planner.study.sources_of(slug):
        rows = _references(items) if source == REFERENCE else answers[source]
        for row in rows:
            why = None if row["skipped"] is None else f"{source}: {row['skipped']}"
            shown[row["dataset"], row["item"], BEHIND + source] = Shown(row["text"], why)
    return planner.turns("cross", items, shown, writer=slug)


def _references(items: Iterable[Row]) -> Iterable[Row]:
    """The datasets' own answers, as rows of kind `answers` have them."""
    for item in items:
        text = item["reference_answer"]
        yield {
            "dataset": item["dataset"],
            "item": item["item"],
            "text": text,
            "skipped": NO_REFERENCE if text is None else None,
        }

"""Table `labels`: share and count of every label in every group, zero included."""

from __future__ import annotations

from collections.abc import Iterable

from userturn.artifacts.csv_file import Kind, Row
from userturn.artifacts.labels import Label
from userturn.tables._groups import Group, grid, shares
from userturn.tables._results import Judged, Results
from userturn.tables._table import GROUP, Table


def rows(results: Results) -> list[Row]:
    """One row per judge, model, group and label."""
    return [row for judged in results.judged() for row in rows_of(judged)]


def rows_of(judged: Judged, groups: Iterable[Group] | None = None) -> list[Row]:
    """Shares; `valid` is the number of labelled turns.

    Args:
        judged: Labels of one judge on the turns of one speaker.
        groups: Which of the turns; None for every group of the study.
    """
    made = []
    for group in grid(judged.study) if groups is None else groups:
        prompts = judged.groups[group]
        for label in Label:
            values = shares(prompts, label)
            made.append(
                {
                    **judged.identity(group),
                    "label": label.value,
                    "share": float(values.mean()) if values.size else None,
                    "count": int(prompts[label.value].sum()),
                    "valid": int(prompts["valid"].sum()),
                }
            )
    return made


TABLE = Table(
    {
        **GROUP,
        "label": Kind.NAME,
        "share": Kind.NUMBER,
        "count": Kind.COUNT,
        "valid": Kind.COUNT,
    },
    rows,
)

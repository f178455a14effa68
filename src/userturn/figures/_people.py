"""What people really said next, as figures show it: a line to read the models' rates beside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from userturn.artifacts.csv_file import Row
from userturn.figures._colours import INK, mix
from userturn.figures._figure import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "people"
NOTE = "dotted: what people really said next, where that is known"
DOTS = (0, (1, 1.6))


def rates(source: Source, datasets: Sequence[str]) -> dict[str, Row]:
    """Rows of table `human` that have a rate, by dataset; only those of the datasets shown."""
    rows = {row["dataset"]: row for row in source.table("human") if row["rate"] is not None}
    return {dataset: rows[dataset] for dataset in datasets if dataset in rows}


def note(rows: dict[str, Row]) -> str:
    """What a subtitle says of the line, where there is one."""
    return f"; {NOTE}" if rows else ""


def draw_line(axes: Axes, row: Row | None) -> None:
    """Draw people's rate across a panel, with its interval as a band."""
    if row is None:
        return
    band = mix(INK, "white", 0.93)
    axes.axhspan(100 * row["low"], 100 * row["high"], color=band, linewidth=0, zorder=0)
    axes.axhline(100 * row["rate"], color=INK, linewidth=1.0, linestyle=DOTS, zorder=1, gid=NAME)

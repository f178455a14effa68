"""Texts on figures: names, footers, and labels of points that keep clear of each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from userturn.artifacts.csv_file import Row
from userturn.figures._colours import FAINT
from userturn.study.report import ALL
from userturn.tables._groups import GREEDY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RATE = "genuine follow-up rate (%)"
POOLED = "all datasets, pooled"
NOTHING_VALID = "no user turn has a valid label"


def dataset_name(slug: str) -> str:
    """A dataset as readers know it."""
    return "all datasets" if slug == ALL else slug


def temperature_name(value: float) -> str:
    """A temperature in words."""
    return "greedy" if value == GREEDY else f"temperature {value:g}"


def footer(rows: Sequence[Row], intervals: bool = True) -> str:
    """Counts and judge of what a figure shows, and how its intervals were made."""
    rows = [row for row in rows if row["prompts"]]
    counts = f"n = {span([row['prompts'] for row in rows])} prompts"
    if "samples" in rows[0]:
        turns = span([round(row["samples"] / row["prompts"]) for row in rows])
        counts += f" with {turns} user turn{'' if turns == '1' else 's'} each"
    parts = [counts, f"judge: {rows[0]['judge']}"]
    if intervals:
        methods = ", ".join(sorted({row["method"] for row in rows}))
        parts.append(f"{100 * rows[0]['confidence']:g} % intervals: {methods}")
    return "  ·  ".join(parts)


def label_points(axes: Axes, rows: Sequence[Row], texts: Sequence[str]) -> None:
    """Write each point's text near it, clear of other texts, points and bars where it can be.

    Args:
        axes: Where the points are drawn.
        rows: Points: `accuracy` and `rate` with their bounds, as shares.
        texts: A text per point.
    """
    from math import cos, hypot, pi, sin

    from matplotlib.figure import Figure
    from matplotlib.patheffects import withStroke
    from matplotlib.transforms import Bbox

    assert isinstance(axes.figure, Figure)
    axes.figure.draw_without_rendering()
    pixel = axes.figure.dpi / 72
    frame = axes.get_window_extent()

    def box(x0: float, x1: float, y0: float, y1: float, margin: float) -> Bbox:
        """Shares x0 to x1 and y0 to y1 with a margin in points, as a box in pixels."""
        corners = axes.transData.transform([(100 * x0, 100 * y0), (100 * x1, 100 * y1)])
        return Bbox(corners).padded(margin * pixel)

    points = [box(row["accuracy"], row["accuracy"], row["rate"], row["rate"], 3.2) for row in rows]
    bars = [
        *(box(row["accuracy"], row["accuracy"], row["low"], row["high"], 0.5) for row in rows),
        *(
            box(row["accuracy_low"], row["accuracy_high"], row["rate"], row["rate"], 0.5)
            for row in rows
        ),
    ]
    written: list[Bbox] = []
    for row, text in sorted(zip(rows, texts, strict=True), key=lambda pair: pair[0]["accuracy"]):
        label = axes.annotate(
            text,
            (100 * row["accuracy"], 100 * row["rate"]),
            (0, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=6.2,
            zorder=4,
            path_effects=[withStroke(linewidth=1.4, foreground="white")],
            arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.5, "shrinkB": 3},
        )
        here = label.get_window_extent()  # on the point itself: there is no leader yet
        reach = here.width / 2 / pixel

        def cost(offset: tuple[float, float], here: Any = here) -> float:
            there = here.translated(offset[0] * pixel, offset[1] * pixel)
            covered = sum(overlap(there, other) for other in (*points, *written))
            crossed = sum(overlap(there, other) for other in bars)
            outside = there.width * there.height - overlap(there, frame)
            penalty = (50 * (covered + outside) + crossed) / pixel**2 + 2 * hypot(*offset)
            return float(round(penalty, 3))

        offsets = [
            ((reach + radius) * cos(pi / 8 * turn), (3 + radius) * sin(pi / 8 * turn))
            for radius in (3.5, 6.0, 9.0, 13.0, 18.0, 24.0)
            for turn in range(16)
        ]
        best = min(offsets, key=cost)
        label.set_position(best)
        written.append(here.translated(best[0] * pixel, best[1] * pixel))


def overlap(one: Any, other: Any) -> float:
    """Area that two boxes share."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return float(max(0.0, width) * max(0.0, height))


def span(values: Sequence[float]) -> str:
    """Least and largest of some counts, or the one that they all are."""
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"

"""The page of a figure: title, subtitle, panels in a grid, legend and footer."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from userturn.figures._colours import AXIS, MUTED, ModelLook
from userturn.figures._figure import Drawing, Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Entry = tuple[dict[str, Any], str]
"""A legend handle's line properties, and its text."""

EDGE, RIGHT = 0.12, 0.2


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What stands on a page.

    Attributes:
        title: Bold line.
        subtitle: What the panels have in common.
        footer: Counts and methods.
        panels: A title per panel, or an empty one.
        height: Height of a panel.
        most_columns: Panels in a row, fewer where the page is narrow.
        row_names: Names of the rows of a panel that has names for y values.
        legend: Entries below the panels.
        x_label: Label of all x axes.
        y_label: Label of all y axes.
    """

    title: str
    subtitle: str
    footer: str = ""
    panels: Sequence[str] = ("",)
    height: float = 1.0
    most_columns: int = 3
    row_names: Sequence[str] = ()
    legend: Sequence[Entry] = ()
    x_label: str = ""
    y_label: str = ""


@dataclass(frozen=True)
class Page:
    """A laid out page.

    Attributes:
        figure: The figure.
        axes: One per panel, row by row.
    """

    figure: Figure
    axes: list[Axes]


def lay_out(source: Source, layout: Layout) -> Page:
    """A page with empty panels, of the width of the source."""
    from matplotlib.figure import Figure

    width, height = source.width, layout.height
    longest = max((len(name) for name in layout.row_names), default=0)
    left = 0.3 + 0.058 * longest if layout.row_names else 0.62
    most = max(1, min(layout.most_columns, int((width - left) / 1.1)))
    rows = -(-len(layout.panels) // most)
    columns = -(-len(layout.panels) // rows)
    gap = 0.26 + 0.24 * any(layout.panels)
    titles, subtitles, footers = (
        textwrap.wrap(text, int((width - EDGE) * per_inch))
        for text, per_inch in ((layout.title, 12), (layout.subtitle, 17), (layout.footer, 22))
    )
    legend_rows = _legend_rows(layout.legend, width - EDGE)
    foot = 0.1 + 0.12 * len(footers)
    below = foot + 0.145 * legend_rows + 0.08 * bool(layout.legend) + 0.46
    head = 0.22 + 0.17 * len(titles) + 0.14 * len(subtitles) + 0.24 * any(layout.panels)
    total = head + rows * height + (rows - 1) * gap + below
    figure = Figure(figsize=(width, total))

    def note(x: float, y: float, text: str, **look: Any) -> None:
        figure.text(x / width, y / total, text, **look)

    note(EDGE, total - 0.12, "\n".join(titles), va="top", size=9.5, weight="bold")
    note(EDGE, total - 0.15 - 0.17 * len(titles), "\n".join(subtitles), va="top", color=MUTED)
    note(EDGE, 0.08, "\n".join(footers), va="bottom", size=6, color=MUTED)
    centre: dict[str, Any] = {"ha": "center", "va": "center", "color": AXIS}
    note((left + width - RIGHT) / 2, below - 0.32, layout.x_label, **centre)
    note(0.2, (total - head + below) / 2, layout.y_label, rotation=90, **centre)
    if layout.legend:
        corner = EDGE / width, (foot + 0.03) / total
        _draw_legend(figure, layout.legend, legend_rows, corner)
    grid = figure.add_gridspec(
        rows,
        columns,
        left=left / width,
        right=1 - RIGHT / width,
        top=1 - head / total,
        bottom=below / total,
        hspace=gap / height,
        wspace=0.2 * columns / (width - left - RIGHT),
    )
    return Page(figure, _panels(figure, grid, columns, layout))


def no_data(source: Source, title: str, why: str) -> Drawing:
    """A page that says why there is nothing to show."""
    page = lay_out(source, Layout(title=title, subtitle=f"no data: {why}", height=0.2))
    page.axes[0].set_axis_off()
    return Drawing(page.figure, [])


def entry(colour: str, text: str, marker: str = "o") -> Entry:
    """A legend entry: a marker and its text."""
    return {"color": colour, "marker": marker, "markersize": 6 if marker == "s" else 4.5}, text


def family_entries(models: Sequence[ModelLook]) -> list[Entry]:
    """One entry per family, in the tone of its middle model."""
    families = dict.fromkeys(model.family for model in models)
    kin = {family: [m for m in models if m.family == family] for family in families}
    return [entry(ours[len(ours) // 2].colour, family) for family, ours in kin.items()]


def _panels(figure: Figure, grid: Any, columns: int, layout: Layout) -> list[Axes]:
    """The panels; only those at the page's left and bottom have tick labels."""
    panels = []
    for index, title in enumerate(layout.panels):
        axes = figure.add_subplot(grid[divmod(index, columns)])
        axes.set_title(title)
        first = index % columns == 0
        axes.tick_params(labelbottom=index + columns >= len(layout.panels), labelleft=first)
        if layout.row_names:
            axes.set_yticks(range(len(layout.row_names)), layout.row_names if first else [])
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
            axes.grid(visible=False, axis="y")
        panels.append(axes)
    return panels


def _legend_rows(entries: Sequence[Entry], width: float) -> int:
    longest = max((len(text) for _, text in entries), default=0)
    across = max(1, int(width / (0.4 + 0.062 * longest)))
    return -(-len(entries) // across)


def _draw_legend(
    figure: Figure, entries: Sequence[Entry], rows: int, corner: tuple[float, float]
) -> None:
    """Draw a legend whose lower left corner stands at these shares of the page."""
    from matplotlib.lines import Line2D

    figure.legend(
        handles=[Line2D([], [], linestyle="none", **look) for look, _ in entries],
        labels=[text for _, text in entries],
        loc="lower left",
        bbox_to_anchor=corner,
        ncols=-(-len(entries) // rows),
        borderaxespad=0,
        borderpad=0,
        handlelength=0.8,
        handletextpad=0.5,
    )

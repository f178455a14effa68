"""Figure: how far judges and people agree, as a matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from userturn.artifacts.csv_file import Columns, Kind, Row, of
from userturn.figures._colours import FAMILY_COLOURS, INK, SHADE, mix
from userturn.figures._figure import Drawing, Plot, Source
from userturn.figures._labels import span
from userturn.figures._page import Layout, lay_out, no_data

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Do the judges agree?"
COLUMNS: Columns = {
    **of(Kind.NAME, "first second"),
    **of(Kind.COUNT, "turns prompts"),
    **of(Kind.NUMBER, "agreement kappa kappa_low kappa_high"),
}


def draw(source: Source) -> Drawing:
    """Draw kappa below the diagonal, and the share of same labels above it."""
    rows = [{name: row[name] for name in COLUMNS} for row in source.table("agreement")]
    if not rows:
        return no_data(
            source, TITLE, "one judge, and no labels by people; `userturn annotate` adds a person"
        )
    raters = list(dict.fromkeys(name for row in rows for name in (row["first"], row["second"])))
    numbered = [f"{name}  {number}" for number, name in enumerate(raters, 1)]
    confidence = source.table("agreement")[0]["confidence"]
    layout = Layout(
        title=TITLE,
        subtitle="below the diagonal: Cohen's kappa over all labels, in small its "
        f"{100 * confidence:g} % interval; above: the share of turns with the same label",
        footer=f"n = {span([row['turns'] for row in rows])} turns of "
        f"{span([row['prompts'] for row in rows])} prompts that both labelled",
        height=0.42 * len(raters),
        row_names=numbered,
    )
    page = lay_out(source, layout)
    (axes,) = page.axes
    edges = -0.5, len(raters) - 0.5
    axes.set(xlim=edges, ylim=edges[::-1])
    axes.set_xticks(range(len(raters)), [str(number + 1) for number in range(len(raters))])
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)
    axes.grid(visible=False)
    for place in range(len(raters)):
        _draw_cell(axes, (place, place), SHADE, ["same"])
    for row in rows:
        first, second = (raters.index(row[name]) for name in ("first", "second"))
        _draw_cell(axes, (first, second), _shade(row["kappa"]), _kappa(row))
        _draw_cell(axes, (second, first), "white", [f"{100 * row['agreement']:.0f} %"])
    return Drawing(page.figure, rows)


def _kappa(row: Row) -> list[str]:
    if row["kappa"] is None:
        return ["no kappa", "labels do not vary"]
    return [f"{row['kappa']:.2f}", f"{row['kappa_low']:.2f} to {row['kappa_high']:.2f}"]


def _shade(kappa: float | None) -> str:
    """Darker where raters agree beyond chance; never too dark for the ink on it."""
    return mix(FAMILY_COLOURS[0], "white", 1 - 0.5 * min(1.0, max(0.0, kappa or 0.0)))


def _draw_cell(axes: Axes, place: tuple[int, int], colour: str, text: list[str]) -> None:
    from matplotlib.patches import Rectangle

    x, y = place
    corner = x - 0.48, y - 0.46
    axes.add_patch(Rectangle(corner, 0.96, 0.92, facecolor=colour, edgecolor="none"))
    for nth, line in enumerate(text):
        shift = 0.3 * (nth - (len(text) - 1) / 2)
        size = 7.5 if nth == 0 else 5.6
        axes.text(x, y + shift, line, ha="center", va="center", color=INK, size=size)


FIGURE = Plot(
    COLUMNS,
    draw,
    "How far the judges, and people where they labelled turns, give the same labels: a rate is "
    "only as good as this.",
)

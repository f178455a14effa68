"""Figure: how much the answer adds to the turns behind it, own, swapped and never seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from userturn.artifacts.csv_file import Columns, Kind, Row, of
from userturn.artifacts.schemas import BASE, OWN, SWAP
from userturn.figures._colours import FAINT, FAMILY_COLOURS, MUTED, mix
from userturn.figures._figure import Drawing, Plot, Source, chosen
from userturn.figures._labels import POOLED, span, temperature_name
from userturn.figures._page import Layout, entry, lay_out, no_data
from userturn.tables.uptake import QUANTILES, REAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Uptake: what the answer adds to a user turn"
COLUMNS: Columns = {
    **of(Kind.NAME, "model condition"),
    "temperature": Kind.NUMBER,
    "against": Kind.NAME,
    "turns": Kind.COUNT,
    **of(Kind.NUMBER, "mean " + " ".join(QUANTILES)),
}
KINDS = {
    "base": ("behind the model's own answer", FAMILY_COLOURS[0]),
    "swap": ("behind another prompt's answer, of that answer", FAMILY_COLOURS[1]),
    "unseen": ("the same turns, of the answer they never saw", FAMILY_COLOURS[5]),
    "people": ("what people wrote behind an answer they read", MUTED),
}


def draw(source: Source) -> Drawing:
    """Draw a box per model and kind of turn, of the coldest temperature that has both."""
    table = [row for row in source.table("uptake") if row["median"] is not None]
    rows = [row for row in _coldest(table) if kind_of(row)]
    if not any(row["model"] for row in rows):
        return no_data(source, TITLE, "no user turn was measured")
    models = source.models_in(rows)
    names = {model.slug: model.name for model in models}
    if any(kind_of(row) == "people" for row in rows):
        names[""] = "people"
    kinds = [kind for kind in KINDS if any(kind_of(row) == kind for row in rows)]
    own = [kind for kind in kinds if kind != "people"]
    temperature = next(row["temperature"] for row in rows if row["model"])
    layout = Layout(
        title=TITLE,
        subtitle=f"{temperature_name(temperature)}, {POOLED}; line: 5 to 95 % of the turns, bar: "
        "the middle half, tick: the median",
        footer=f"n = {span([row['turns'] for row in rows])} user turns",
        height=0.16 + 0.12 * (len(own) + 1) * len(names),
        row_names=list(names.values()),
        legend=[entry(KINDS[kind][1], KINDS[kind][0], "s") for kind in kinds],
        x_label="uptake (nats per token)",
    )
    page = lay_out(source, layout)
    (axes,) = page.axes
    axes.axvline(0, color=FAINT, linewidth=0.9, zorder=1)
    axes.set_ylim(len(names) - 0.45, -0.55)
    for row in rows:
        kind = kind_of(row)
        place = own.index(kind) - (len(own) - 1) / 2 if kind in own else 0.0
        y = list(names).index(row["model"]) + place / (len(own) + 1)
        _draw_box(axes, row, y, KINDS[kind][1], 0.62 / (len(own) + 1))
    return Drawing(page.figure, chosen(rows, COLUMNS))


def kind_of(row: Row) -> str:
    """Which of KINDS a row is; empty for other conditions."""
    if row["condition"] == SWAP:
        return "unseen" if row["against"] == OWN else "swap"
    return {BASE: "base", REAL: "people"}.get(row["condition"], "")


def _coldest(rows: Sequence[Row]) -> list[Row]:
    """Rows at the lowest temperature of each condition, with those that have none."""
    least: dict[str, float] = {}
    for row in rows:
        if row["temperature"] is not None:
            known = least.get(row["condition"], row["temperature"])
            least[row["condition"]] = min(known, row["temperature"])
    return [row for row in rows if row["temperature"] == least.get(row["condition"])]


def _draw_box(axes: Axes, row: Row, y: float, colour: str, height: float) -> None:
    axes.hlines(y, row["q05"], row["q95"], color=mix(colour, "white", 0.35), linewidth=0.9)
    width = row["q75"] - row["q25"]
    axes.barh(y, width, height, row["q25"], color=mix(colour, "white", 0.35), zorder=2)
    ends = y - height / 2, y + height / 2
    axes.vlines(row["median"], *ends, color=mix(colour, "black", 0.35), linewidth=1.4, zorder=3)


FIGURE = Plot(
    COLUMNS,
    draw,
    "How much likelier the answer makes the turns behind it: what reacts to an answer takes up "
    "words that only this answer explains.",
)

"""Figure: what the user turns are, shares of all labels, pooled over datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from userturn.artifacts.csv_file import Columns, Kind, of
from userturn.figures import _people
from userturn.figures._colours import INK, LABEL_COLOURS, WHITE_TEXT
from userturn.figures._figure import SHOWN, Drawing, Plot, Source, chosen, is_pooled_base
from userturn.figures._labels import NOTHING_VALID, POOLED, footer, temperature_name
from userturn.figures._page import Layout, entry, lay_out, no_data
from userturn.study.report import HUMAN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from userturn.artifacts.labels import Label

TITLE = "What models write when it is the user's turn"
COLUMNS: Columns = {
    **SHOWN,
    "label": Kind.NAME,
    "share": Kind.NUMBER,
    **of(Kind.COUNT, "count valid"),
}
LEAST_NUMBER = 4  # per cent that a piece of a bar must have for its number to fit


def draw(source: Source) -> Drawing:
    """Draw a bar per temperature of one model, else a panel per temperature, a bar per model."""
    rows = [
        row for row in source.table("labels") if is_pooled_base(row) and row["share"] is not None
    ]
    people = [
        row
        for row in source.table("human_labels")
        if is_pooled_base(row) and row["share"] is not None
    ]
    if not rows:
        return no_data(source, TITLE, NOTHING_VALID)
    models = source.models_in(rows)
    alone = len(models) == 1
    temperatures = sorted({row["temperature"] for row in rows})
    warmth = [temperature_name(value) for value in temperatures]
    rates = [row for row in source.table("rates") if is_pooled_base(row)]
    last = [_people.NAME] * bool(people)
    layout = Layout(
        title=TITLE,
        subtitle=f"{models[0].name}; {POOLED}" if alone else POOLED,
        footer=footer(rates, intervals=False),
        panels=[""] if alone else warmth,
        height=0.08
        + (0.3 * (len(temperatures) + len(last)) if alone else 0.19 * (len(models) + len(last))),
        most_columns=4,
        row_names=[*(warmth if alone else (model.name for model in models)), *last],
        legend=[
            entry(colour, label.value.replace("_", " "), "s")
            for label, colour in LABEL_COLOURS.items()
        ],
        x_label="share of user turns (%)",
    )
    page = lay_out(source, layout)
    rows += people
    shares = {(row["model"], row["temperature"], row["label"]): row["share"] for row in rows}
    for panel, axes in enumerate(page.axes):
        bars: list[tuple[str, float | None]] = [(HUMAN, None)] * len(last)
        bars = [
            *(
                [(models[0].slug, temperature) for temperature in temperatures]
                if alone
                else [(model.slug, temperatures[panel]) for model in models]
            ),
            *bars,
        ]
        ticks = range(0, 101, 25 if alone else 50)
        axes.set(xlim=(0, 100), ylim=(len(bars) - 0.45, -0.55), xticks=ticks)
        ends = axes.get_xticklabels()[:: len(ticks) - 1]  # none where a panel stands below
        for number, tick in enumerate(ends):
            tick.set_horizontalalignment("right" if number else "left")
        axes.grid(visible=False)
        for y, bar in enumerate(bars):
            pieces = {label: shares.get((*bar, label.value), 0.0) for label in LABEL_COLOURS}
            _draw_bar(axes, y, pieces, numbered=alone)
    return Drawing(page.figure, chosen(rows, COLUMNS))


def _draw_bar(axes: Axes, y: int, pieces: dict[Label, float], *, numbered: bool) -> None:
    left = 0.0
    for label, piece in pieces.items():
        share = 100 * piece
        colour = LABEL_COLOURS[label]
        axes.barh(y, share, 0.74, left, color=colour, edgecolor="white", linewidth=0.5)
        if numbered and share >= LEAST_NUMBER:
            ink = "white" if label in WHITE_TEXT else INK
            place = left + share / 2, y
            axes.text(*place, f"{share:.0f}", color=ink, ha="center", va="center_baseline")
        left += share


FIGURE = Plot(
    COLUMNS,
    draw,
    "What the models' turns are, by label, with the unperturbed answer in front.",
)

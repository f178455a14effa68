"""Figure: the rate of part of the study's prompts and samples. Has it settled?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from userturn.artifacts.csv_file import Columns, Kind, Row, of
from userturn.figures._colours import FAMILY_COLOURS
from userturn.figures._figure import Drawing, Plot, Source, chosen
from userturn.figures._labels import NOTHING_VALID, POOLED, RATE, footer, temperature_name
from userturn.figures._page import Entry, Layout, entry, lay_out, no_data

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Has the rate settled?"
COLUMNS: Columns = {
    "model": Kind.NAME,
    "temperature": Kind.NUMBER,
    "over": Kind.NAME,
    "n": Kind.COUNT,
    **of(Kind.NUMBER, "rate low high"),
    **of(Kind.COUNT, "prompts samples"),
}
PANELS = {"prompts": "prompts", "samples": "samples per prompt"}
MARKERS = "osD^vPX"


def draw(source: Source) -> Drawing:
    """Draw a curve per temperature of one model, with its band; or one per model, without."""
    rows = [row for row in source.table("convergence") if row["rate"] is not None]
    if not rows:
        return no_data(source, TITLE, NOTHING_VALID)
    models = source.models_in(rows)
    alone = len(models) == 1
    rows = rows if alone else _of_one_temperature(rows)
    panels = [over for over in PANELS if any(row["over"] == over for row in rows)]
    temperatures = sorted({row["temperature"] for row in rows})
    looks: dict[str | float, Entry] = (
        {
            value: entry(FAMILY_COLOURS[nth % 6], temperature_name(value), MARKERS[nth % 7])
            for nth, value in enumerate(temperatures)
        }
        if alone
        else {model.slug: entry(model.colour, model.name) for model in models}
    )
    told = f"{models[0].name}; {POOLED}; shaded: the interval" if alone else POOLED
    warmth = {over: _warmth(rows, over) for over in panels}
    layout = Layout(
        title=TITLE,
        subtitle=told + ("" if len(panels) > 1 else "; one sample per prompt"),
        footer=footer(rows, intervals=alone),
        panels=[PANELS[over] + ("" if alone else f", {warmth[over]}") for over in panels],
        height=1.6,
        most_columns=2 if source.width > 4.5 else 1,
        legend=list(looks.values()),
        x_label="how many of them are counted",
        y_label=RATE,
    )
    page = lay_out(source, layout)
    top = 100 * max(row["high"] if alone else row["rate"] for row in rows)
    for axes, over in zip(page.axes, panels, strict=True):
        here = [row for row in rows if row["over"] == over]
        axes.set(xlim=(0, 1.04 * max(row["n"] for row in here)), ylim=(0, max(10.0, 1.05 * top)))
        axes.tick_params(labelbottom=True)  # panels count different things
        axes.locator_params(axis="x", nbins=5, integer=True)
        axes.locator_params(axis="y", nbins=6, steps=[1, 2, 5, 10])
        for name, (look, _) in looks.items():
            curve = [row for row in here if row["temperature" if alone else "model"] == name]
            _draw_curve(axes, curve, look["color"], look["marker"], band=alone)
    return Drawing(page.figure, chosen(rows, COLUMNS))


def _of_one_temperature(rows: Sequence[Row]) -> list[Row]:
    """Curves over prompts at the lowest temperature, those over samples at the highest."""
    ends = {
        over: pick(row["temperature"] for row in rows if row["over"] == over)
        for over, pick in (("prompts", min), ("samples", max))
        if any(row["over"] == over for row in rows)
    }
    return [row for row in rows if row["temperature"] == ends[row["over"]]]


def _warmth(rows: Sequence[Row], over: str) -> str:
    return temperature_name(next(row["temperature"] for row in rows if row["over"] == over))


def _draw_curve(axes: Axes, rows: Sequence[Row], colour: str, marker: str, *, band: bool) -> None:
    counts = [row["n"] for row in rows]
    rate, low, high = ([100 * row[name] for row in rows] for name in ("rate", "low", "high"))
    if band:
        axes.fill_between(counts, low, high, color=colour, alpha=0.1, linewidth=0)
    look: dict[str, Any] = {"markersize": 3.2, "markeredgecolor": "white", "markeredgewidth": 0.5}
    axes.plot(counts, rate, marker=marker, color=colour, linewidth=1.0, clip_on=False, **look)


FIGURE = Plot(
    COLUMNS,
    draw,
    "The strict rate of the first prompts, and of the first samples of each: where a curve still "
    "moves, more of them would move it further.",
)

"""Figure: follow-up rate over the temperature grid, all datasets pooled, then each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from userturn.artifacts.csv_file import Columns, Kind, Row, of
from userturn.artifacts.schemas import BASE
from userturn.figures import _people
from userturn.figures._colours import ModelLook, mix
from userturn.figures._figure import (
    SHOWN,
    Drawing,
    Plot,
    Source,
    by_dataset,
    chosen,
    datasets,
)
from userturn.figures._labels import NOTHING_VALID, RATE, dataset_name, footer
from userturn.figures._page import Layout, entry, lay_out, no_data

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Genuine follow-up rate over sampling temperature"
COLUMNS: Columns = {
    **SHOWN,
    **of(Kind.NUMBER, "rate low high lenient lenient_low lenient_high"),
    **of(Kind.NUMBER, "adjusted adjusted_low adjusted_high"),
    **of(Kind.COUNT, "prompts samples"),
}
ADJUSTED = "hollow: adjusted for the judge's errors on held-out turns (expected count)"
FEW = 3  # models up to which curves have bands, and the lenient rate beside them


def draw(source: Source) -> Drawing:
    """Draw a curve per model: with a band where models are few, with bars side by side else."""
    rates = source.table("rates")
    rows = [row for row in rates if row["condition"] == BASE and row["rate"] is not None]
    if not rows:
        return no_data(source, TITLE, NOTHING_VALID)
    models = source.models_in(rows)
    alone, few = len(models) == 1, len(models) <= FEW
    temperatures = sorted({row["temperature"] for row in rows})
    people = _people.rates(source, datasets(rows))
    adjusted = few and any(row["adjusted"] is not None for row in rows)
    layout = Layout(
        title=TITLE,
        subtitle=(f"{models[0].name}; " if alone else "")
        + "temperature 0 is greedy decoding"
        + ("; dashed: with turns that are only on topic" if few else "")
        + ("" if few else "; at each temperature the models stand side by side")
        + _people.note(people),
        footer=footer(rows) + (f"  ·  {ADJUSTED}" if adjusted else ""),
        panels=[dataset_name(name) for name in datasets(rows)],
        height=1.5 if few else 1.7,
        most_columns=3 if few else 2,
        legend=[] if alone else [entry(model.colour, model.name) for model in models],
        x_label="softmax temperature",
        y_label=RATE,
    )
    page = lay_out(source, layout)
    span = (temperatures[-1] - temperatures[0]) or 1.0
    step = min((warm - cold for cold, warm in pairwise(temperatures)), default=span)
    dodge = 0.0 if few else 0.6 * step / (len(models) - 1)
    margin = 0.07 * span if few else 0.4 * step
    shown = ("high", "lenient", "adjusted_high") if few else ("high",)
    top = max(10.0, *(104 * (row[name] or 0.0) for row in rows for name in shown))
    top = max([top, *(104 * row["high"] for row in people.values())])
    for axes, panel in zip(page.axes, by_dataset(rows), strict=True):
        _people.draw_line(axes, people.get(panel[0]["dataset"]))
        axes.set(xlim=(temperatures[0] - margin, temperatures[-1] + margin), ylim=(0, top))
        axes.set_xticks(temperatures, [f"{value:g}" for value in temperatures])
        axes.locator_params(axis="y", nbins=6, steps=[1, 2, 5, 10])
        axes.grid(visible=False, axis="x")
        for place, model in enumerate(models):
            ours = [row for row in panel if row["model"] == model.slug]
            shift = dodge * (place - (len(models) - 1) / 2)
            _draw_curve(axes, ours, model, shift, few)
            if few:
                beside = 0.022 * span * (place + 1)
                _draw_companions(axes, ours, model, beside)
    return Drawing(page.figure, chosen([*rows, *people.values()], COLUMNS))


def _draw_curve(axes: Axes, rows: Sequence[Row], model: ModelLook, shift: float, few: bool) -> None:
    x = [row["temperature"] + shift for row in rows]
    rate, low, high = ([100 * row[name] for row in rows] for name in ("rate", "low", "high"))
    if few and len(rows) > 1:
        axes.fill_between(x, low, high, color=model.colour, alpha=0.14, linewidth=0)
    else:
        pale = mix(model.colour, "white", 0.35)
        axes.vlines(x, low, high, color=pale, linewidth=1.4 if few else 0.9)
    axes.plot(
        x,
        rate,
        "o-",
        color=model.colour,
        linewidth=1.6 if few else 0.8,
        markersize=4.5 if few else 3.2,
        markeredgecolor="white",
        markeredgewidth=0.5,
        clip_on=False,
        zorder=3,
    )


def _draw_companions(axes: Axes, rows: Sequence[Row], model: ModelLook, beside: float) -> None:
    """Draw the lenient rate as a dashed line, and the adjusted rate beside each point."""
    pale = mix(model.colour, "white", 0.45)
    temperatures = [row["temperature"] for row in rows]
    look = "--" if len(rows) > 1 else "_"
    axes.plot(temperatures, [100 * row["lenient"] for row in rows], look, color=pale, linewidth=1.0)
    for row in rows:
        if row["adjusted"] is None:
            continue
        x = row["temperature"] + beside
        axes.vlines(x, 100 * row["adjusted_low"], 100 * row["adjusted_high"], pale, linewidth=0.9)
        axes.plot(
            x,
            100 * row["adjusted"],
            "o",
            color=model.colour,
            markerfacecolor="white",
            markersize=3.6,
            markeredgewidth=0.9,
            clip_on=False,
            zorder=4,
        )


FIGURE = Plot(
    COLUMNS,
    draw,
    "Rate of genuine follow-ups by the temperature at which turns were sampled.",
)

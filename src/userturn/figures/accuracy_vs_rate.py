"""Figure: task accuracy against follow-up rate, a point per model and dataset with a verifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from userturn.artifacts.csv_file import Columns, Kind, Row, of
from userturn.artifacts.schemas import BASE
from userturn.figures import _people
from userturn.figures._colours import ModelLook, mix
from userturn.figures._figure import Drawing, Plot, Source, by_dataset
from userturn.figures._labels import RATE, footer, label_points, temperature_name
from userturn.figures._page import Layout, family_entries, lay_out, no_data
from userturn.study.report import ALL
from userturn.tables._groups import GREEDY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Task accuracy and genuine follow-ups"
COLUMNS: Columns = {
    **of(Kind.NAME, "model dataset"),
    **of(Kind.NUMBER, "temperature accuracy accuracy_low accuracy_high"),
    "scored": Kind.COUNT,
    **of(Kind.NUMBER, "rate low high"),
    "prompts": Kind.COUNT,
}


def draw(source: Source) -> Drawing:
    """Draw the points with both their intervals; of one model they are told apart by dataset."""
    rates = source.table("rates")
    base = [row for row in rates if row["condition"] == BASE and row["rate"] is not None]
    coldest = min((row["temperature"] for row in base), default=GREEDY)
    by_place = {
        (row["model"], row["dataset"]): row for row in base if row["temperature"] == coldest
    }
    rows = [
        {
            "model": task["model"],
            "dataset": task["dataset"],
            "temperature": coldest,
            **{f"accuracy{end}": task[f"strict{end}"] for end in ("", "_low", "_high")},
            "scored": task["scored"],
            **{name: rate[name] for name in ("rate", "low", "high", "prompts")},
        }
        for task in source.table("accuracy")
        if task["strict"] is not None and (rate := by_place.get((task["model"], task["dataset"])))
    ]
    if not rows:
        return no_data(source, TITLE, "no dataset has scored answers and labelled user turns")
    models = source.models_in(rows)
    alone = len(models) == 1
    turns = f"{temperature_name(coldest)} user turns"
    points = f"{models[0].name}, {turns}" if alone else f"{turns}; larger points are larger models"
    panels = [ALL] if alone else list(dict.fromkeys(row["dataset"] for row in rows))
    people = _people.rates(source, panels)
    layout = Layout(
        title=TITLE,
        subtitle=points + _people.note(people),
        footer=footer([by_place[row["model"], row["dataset"]] for row in rows]),
        panels=[""] if alone else panels,
        height=2.5 if alone else 1.5,
        most_columns=1,  # the points of many models crowd along x: they get the whole width
        legend=[] if alone else family_entries(models),
        x_label="task accuracy (%)",
        y_label=RATE,
    )
    page = lay_out(source, layout)
    top = max(10.0, 108 * max(row["high"] for row in (*rows, *people.values())))
    looks = {model.slug: model for model in models}
    shown_rows = [rows] if alone else by_dataset(rows)
    for axes, panel, shown in zip(page.axes, panels, shown_rows, strict=True):
        _people.draw_line(axes, people.get(panel))
        axes.set(xlim=(-2, 102), ylim=(-0.04 * top, top), xticks=range(0, 101, 20))
        axes.locator_params(axis="y", nbins=6, steps=[1, 2, 5, 10])
        for row in shown:
            _draw_point(axes, row, looks[row["model"]], 1.0 if alone else 0.7)
        texts = [row["dataset"] if alone else looks[row["model"]].short for row in shown]
        label_points(axes, shown, texts)
    lines = [{**dict.fromkeys(COLUMNS), **_shared(row)} for row in people.values()]
    return Drawing(page.figure, [*rows, *lines])


def _shared(row: Row) -> Row:
    """What people's rates have of the columns: no task accuracy, and no temperature."""
    return {name: row[name] for name in COLUMNS if name in row}


def _draw_point(axes: Axes, row: Row, look: ModelLook, width: float) -> None:
    axes.errorbar(
        100 * row["accuracy"],
        100 * row["rate"],
        xerr=_arms(row, "accuracy", "accuracy_low", "accuracy_high"),
        yerr=_arms(row, "rate", "low", "high"),
        fmt="o",
        color=look.colour,
        markersize=look.marker,
        ecolor=mix(look.colour, "white", 0.5),
        elinewidth=width,
        markeredgecolor="white",
        markeredgewidth=0.6,
        zorder=3,
    )


def _arms(row: Row, middle: str, low: str, high: str) -> list[list[float]]:
    """Lengths of the two arms of an error bar, in per cent."""
    return [[100 * max(0.0, row[middle] - row[low])], [100 * max(0.0, row[high] - row[middle])]]


FIGURE = Plot(
    COLUMNS,
    draw,
    "How well a model solves the tasks, against how often its user turns react to the answer.",
)

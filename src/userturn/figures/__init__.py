"""Stage `figures`: the figures, drawn from `reports/tables/*.csv` and nothing else.

Each figure is written in every format of the study, with the data that it shows as CSV beside it.
The same tables and the same parameters give the same bytes. All lengths are inches.
"""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from userturn import tables
from userturn.artifacts import BASE
from userturn.artifacts.labels import Label
from userturn.base import paths
from userturn.base.errors import ArtifactError
from userturn.study.report import ALL
from userturn.tables import GREEDY, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from userturn.study.study import Study

    Entry = tuple[dict[str, Any], str]  # a legend handle's line properties, and its text

FOLDER = paths.REPORTS / "figures"
STYLE = Path(__file__).with_name("userturn.mplstyle")
RATE = "genuine follow-up rate (%)"
POOLED = "all datasets, pooled"
FEW = 3  # models up to which curves have bands

# Okabe and Ito's colours, which readers with any colour vision can tell apart.
FAMILY_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
LABEL_COLOURS = {
    Label.FOLLOWUP: "#0072B2",
    Label.RESTATEMENT: "#E69F00",
    Label.ASSISTANT_VOICE: "#D55E00",
    Label.UNRELATED: "#CC79A7",
    Label.GENERIC: "#009E73",
    Label.META: "#56B4E9",
    Label.EMPTY: "#DDDDDD",
    Label.DEGENERATE: "#777777",
}
WHITE_TEXT = (Label.FOLLOWUP, Label.ASSISTANT_VOICE, Label.GENERIC, Label.DEGENERATE)
INK, AXIS, MUTED, FAINT, SHADE = "#222222", "#444444", "#666666", "#9a9a9a", "#f0f3f7"
ARROWS = {"up": "→", "down": "←"}
TEXT = {
    "judge", "primary", "model", "family", "dataset", "condition", "label", "verifier", "method",
    "reasons", "test", "expected", "moved_as_expected",
}  # fmt: skip
"""Columns of the tables that hold text; all others hold numbers."""
METADATA = {"svg": {"Date": None}, "png": {"Software": None}, "pdf": {"CreationDate": None}}


@dataclass(frozen=True)
class Model:
    """How a model looks in every figure.

    Attributes:
        slug: Its slug.
        name: Family and size where they tell it from the others, else the slug.
        short: Its size, else the slug.
        family: Model family.
        colour: The family's hue, darker for larger models.
    """

    slug: str
    name: str
    short: str
    family: str
    colour: str


@dataclass(frozen=True)
class Source:
    """What a figure is drawn from: rows of the primary judge, numbers parsed, empty cells None."""

    width: float
    models: list[Model]
    rates: list[Row]
    labels: list[Row]
    accuracy: list[Row]
    controls: list[Row]

    def models_in(self, rows: Sequence[Row]) -> list[Model]:
        """The models that have rows, in the order of the tables."""
        found = {row["model"] for row in rows}
        return [model for model in self.models if model.slug in found]


@dataclass(frozen=True)
class Drawing:
    """A figure and the rows that it shows, all with the same columns."""

    figure: Figure
    rows: list[Row]


def build(study: Study) -> None:
    """Write `reports/figures/<name>.<format>` and `<name>.csv` for every figure.

    Raises:
        ArtifactError: A table is missing or has other columns.
    """
    from matplotlib import style

    source = Source(
        width=study.figures.width,
        models=_models(_read("models")),
        rates=_primary(_read("rates")),
        labels=_primary(_read("labels")),
        accuracy=_read("accuracy"),
        controls=_primary(_read("controls")),
    )
    with style.context(STYLE):
        for name, draw in FIGURES.items():
            drawing = draw(source)
            for form in study.figures.formats:
                content = io.BytesIO()
                drawing.figure.savefig(
                    content, format=form, dpi=study.figures.dpi, metadata=METADATA[form]
                )
                tables.write_bytes(FOLDER / f"{name}.{form}", content.getvalue())
            columns = list(drawing.rows[0]) if drawing.rows else []
            tables.write_csv(FOLDER / f"{name}.csv", columns, drawing.rows)


# --- the figures --------------------------------------------------------------------------------


def accuracy_vs_rate(source: Source) -> Drawing:
    """Task accuracy against follow-up rate, one point per model and dataset with a verifier."""
    title = "Task accuracy and genuine follow-ups"
    base = [row for row in source.rates if row["condition"] == BASE and row["rate"] is not None]
    coldest = min((row["temperature"] for row in base), default=GREEDY)
    rates = {(row["model"], row["dataset"]): row for row in base if row["temperature"] == coldest}
    rows = [
        {
            "model": task["model"],
            "dataset": task["dataset"],
            "temperature": coldest,
            **{f"accuracy{end}": task[f"strict{end}"] for end in ("", "_low", "_high")},
            "scored": task["scored"],
            **{name: rate[name] for name in ("rate", "low", "high", "prompts")},
        }
        for task in source.accuracy
        if task["strict"] is not None and (rate := rates.get((task["model"], task["dataset"])))
    ]
    if not rows:
        return _no_data(source, title, "no dataset has scored answers and labelled user turns")
    models = source.models_in(rows)
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    alone = len(models) == 1
    turns = f"{_temperature(coldest)} user turns"
    page = _Page(
        source,
        title,
        f"{models[0].name}, {turns}" if alone else f"{turns}; points are labelled by model",
        _footer([rates[row["model"], row["dataset"]] for row in rows]),
        panels=[""] if alone else datasets,
        height=2.5 if alone else 1.5,
        most_columns=1,  # the points of many models crowd along x: they get the whole width
        legend=[] if alone else _family_entries(models),
        x_label="task accuracy (%)",
        y_label=RATE,
    )
    top = max(10.0, 108 * max(row["high"] for row in rows))
    looks = {model.slug: model for model in models}
    for axes, shown in zip(page.axes, [rows] if alone else _by_dataset(rows), strict=True):
        axes.set(xlim=(-2, 102), ylim=(-0.04 * top, top), xticks=range(0, 101, 20))
        axes.locator_params(axis="y", nbins=6, steps=[1, 2, 5, 10])
        for row in shown:
            colour = looks[row["model"]].colour
            axes.errorbar(
                100 * row["accuracy"],
                100 * row["rate"],
                xerr=_arms(row, "accuracy", "accuracy_low", "accuracy_high"),
                yerr=_arms(row, "rate", "low", "high"),
                fmt="o",
                color=colour,
                ecolor=_mix(colour, "white", 0.5),
                elinewidth=1.0 if alone else 0.7,
                markeredgecolor="white",
                markeredgewidth=0.6,
                zorder=3,
            )
        texts = [row["dataset"] if alone else looks[row["model"]].short for row in shown]
        _label_points(axes, shown, texts)
    return Drawing(page.figure, rows)


def rate_vs_temperature(source: Source) -> Drawing:
    """Follow-up rate over the temperature grid: all datasets pooled, then each."""
    title = "Genuine follow-up rate over sampling temperature"
    rows = [row for row in source.rates if row["condition"] == BASE and row["rate"] is not None]
    if not rows:
        return _no_data(source, title, "no user turn has a valid label")
    models = source.models_in(rows)
    alone, few = len(models) == 1, len(models) <= FEW
    temperatures = sorted({row["temperature"] for row in rows})
    page = _Page(
        source,
        title,
        (f"{models[0].name}; " if alone else "")
        + "temperature 0 is greedy decoding"
        + ("" if few else "; at each temperature the models stand side by side"),
        _footer(rows),
        panels=[_dataset(name) for name in _datasets(rows)],
        height=1.5 if few else 1.7,
        most_columns=3 if few else 2,
        legend=[] if alone else [_entry(model.colour, model.name) for model in models],
        x_label="softmax temperature",
        y_label=RATE,
    )
    span = (temperatures[-1] - temperatures[0]) or 1.0
    step = min((warm - cold for cold, warm in pairwise(temperatures)), default=span)
    dodge = 0.0 if few else 0.6 * step / (len(models) - 1)
    margin = 0.07 * span if few else 0.4 * step
    top = max(10.0, 104 * max(row["high"] for row in rows))
    for axes, shown in zip(page.axes, _by_dataset(rows), strict=True):
        axes.set(xlim=(temperatures[0] - margin, temperatures[-1] + margin), ylim=(0, top))
        axes.set_xticks(temperatures, [f"{value:g}" for value in temperatures])
        axes.locator_params(axis="y", nbins=6, steps=[1, 2, 5, 10])
        axes.grid(visible=False, axis="x")
        for place, model in enumerate(models):
            ours = [row for row in shown if row["model"] == model.slug]
            shift = dodge * (place - (len(models) - 1) / 2)
            x = [row["temperature"] + shift for row in ours]
            rate, low, high = (
                [100 * row[name] for row in ours] for name in ("rate", "low", "high")
            )
            if few and len(ours) > 1:
                axes.fill_between(x, low, high, color=model.colour, alpha=0.14, linewidth=0)
            else:
                pale = _mix(model.colour, "white", 0.35)
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
    return Drawing(page.figure, _columns(rows, "rate", "low", "high", "prompts", "samples"))


def controls(source: Source) -> Drawing:
    """What each perturbation of the answer does to the rate, beside what it should do."""
    title = "Controlled perturbations of the answer"
    rows = [row for row in source.controls if row["difference"] is not None]
    models = source.models_in(rows)
    alone = len(models) == 1
    if not alone:
        rows = [row for row in rows if row["dataset"] == ALL]
    if not rows:
        return _no_data(source, title, "no perturbation has labelled turns beside the base's")
    temperatures = sorted({row["temperature"] for row in rows})
    expected = {row["condition"]: row["expected"] for row in rows}
    key = "dataset" if alone else "model"
    lines = (
        {name: _dataset(name) for name in _datasets(rows)}
        if alone
        else {model.slug: model.name for model in models}
    )
    colours = {model.slug: model.colour for model in models}
    markers = dict(zip(temperatures, "osD^vPX" * len(temperatures), strict=False))
    marked = len(temperatures) > 1
    scope = [models[0].name if alone else POOLED] + [_temperature(temperatures[0])] * (not marked)
    page = _Page(
        source,
        title,
        f"{', '.join(scope)}; shaded: the expected direction; hollow: the interval holds zero",
        _footer(rows),
        panels=[f"{condition}  {ARROWS[where]}" for condition, where in expected.items()],
        height=0.2 + len(lines) * max(0.2, 0.13 * len(temperatures)),
        most_columns=len(expected),
        row_names=list(lines.values()),
        legend=[_entry(MUTED, _temperature(t), markers[t]) for t in temperatures] * marked,
        x_label="change of the follow-up rate (percentage points)",
    )
    reach = 106 * max(max(abs(row["low"]), abs(row["high"])) for row in rows)
    for axes, (condition, where) in zip(page.axes, expected.items(), strict=True):
        axes.axvspan(0, reach if where == "up" else -reach, color=SHADE, zorder=0)
        axes.axvline(0, color=FAINT, linewidth=0.9, zorder=1)
        axes.set(xlim=(-reach, reach), ylim=(len(lines) - 0.4, -0.6))
        axes.locator_params(axis="x", nbins=4)
        for row in (row for row in rows if row["condition"] == condition):
            step = temperatures.index(row["temperature"]) - (len(temperatures) - 1) / 2
            y = list(lines).index(row[key]) + step * 0.6 / len(temperatures)
            colour = colours[row["model"]]
            pale = _mix(colour, "white", 0.3)
            axes.hlines(y, 100 * row["low"], 100 * row["high"], color=pale, linewidth=1.1)
            axes.plot(
                100 * row["difference"],
                y,
                markers[row["temperature"]],
                color=colour,
                markerfacecolor="white" if row["moved_as_expected"] == "undecided" else colour,
                zorder=3,
            )
    numbers = ("rate_base", "rate", "difference", "low", "high", "p", "p_holm", "prompts")
    return Drawing(page.figure, _columns(rows, *numbers, "expected", "moved_as_expected"))


def label_shares(source: Source) -> Drawing:
    """What the user turns are: shares of all labels, pooled over datasets."""
    title = "What models write when it is the user's turn"
    rows = [row for row in source.labels if _is_pooled_base(row) and row["share"] is not None]
    if not rows:
        return _no_data(source, title, "no user turn has a valid label")
    models = source.models_in(rows)
    alone = len(models) == 1
    temperatures = sorted({row["temperature"] for row in rows})
    warmth = [_temperature(value) for value in temperatures]
    page = _Page(
        source,
        title,
        f"{models[0].name}; {POOLED}" if alone else POOLED,
        _footer([row for row in source.rates if _is_pooled_base(row)], intervals=False),
        panels=[""] if alone else warmth,
        height=0.08 + (0.3 * len(temperatures) if alone else 0.19 * len(models)),
        most_columns=4,
        row_names=warmth if alone else [model.name for model in models],
        legend=[
            _entry(colour, label.value.replace("_", " "), "s")
            for label, colour in LABEL_COLOURS.items()
        ],
        x_label="share of user turns (%)",
    )
    shares = {(row["model"], row["temperature"], row["label"]): row["share"] for row in rows}
    for panel, axes in enumerate(page.axes):
        bars = (
            [(models[0].slug, temperature) for temperature in temperatures]
            if alone
            else [(model.slug, temperatures[panel]) for model in models]
        )
        ticks = range(0, 101, 25 if alone else 50)
        axes.set(xlim=(0, 100), ylim=(len(bars) - 0.45, -0.55), xticks=ticks)
        ends = axes.get_xticklabels()[:: len(ticks) - 1]  # none where a panel stands below
        for number, tick in enumerate(ends):
            tick.set_horizontalalignment("right" if number else "left")
        axes.grid(visible=False)
        for y, bar in enumerate(bars):
            left = 0.0
            for label, colour in LABEL_COLOURS.items():
                share = 100 * shares.get((*bar, label.value), 0.0)
                axes.barh(y, share, 0.74, left, color=colour, edgecolor="white", linewidth=0.5)
                if alone and share >= 4:
                    ink = "white" if label in WHITE_TEXT else INK
                    place = left + share / 2, y
                    axes.text(*place, f"{share:.0f}", color=ink, ha="center", va="center_baseline")
                left += share
    return Drawing(page.figure, _columns(rows, "label", "share", "count", "valid"))


FIGURES: dict[str, Callable[[Source], Drawing]] = {
    "accuracy_vs_rate": accuracy_vs_rate,
    "rate_vs_temperature": rate_vs_temperature,
    "controls": controls,
    "label_shares": label_shares,
}


# --- the page -----------------------------------------------------------------------------------


class _Page:
    """A figure with title, subtitle, panels in a grid, legend and footer.

    Attributes:
        figure: The figure.
        axes: One per panel, row by row.
    """

    def __init__(
        self,
        source: Source,
        title: str,
        subtitle: str,
        footer: str = "",
        panels: Sequence[str] = ("",),
        height: float = 1.0,
        most_columns: int = 3,
        row_names: Sequence[str] = (),
        legend: Sequence[Entry] = (),
        x_label: str = "",
        y_label: str = "",
    ) -> None:
        """Lay out a page.

        Args:
            source: Gives the width.
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
        from matplotlib.figure import Figure

        width, edge, right = source.width, 0.12, 0.2
        longest = max((len(name) for name in row_names), default=0)
        left = 0.3 + 0.058 * longest if row_names else 0.62
        most = max(1, min(most_columns, int((width - left) / 1.1)))
        rows = -(-len(panels) // most)
        columns = -(-len(panels) // rows)
        gap = 0.26 + 0.24 * any(panels)
        titles, subtitles, footers = (
            textwrap.wrap(text, int((width - edge) * per_inch))
            for text, per_inch in ((title, 12), (subtitle, 17), (footer, 22))
        )
        legend_rows = _legend_rows(legend, width - edge)
        foot = 0.1 + 0.12 * len(footers)
        below = foot + 0.145 * legend_rows + 0.08 * bool(legend) + 0.46
        head = 0.22 + 0.17 * len(titles) + 0.14 * len(subtitles) + 0.24 * any(panels)
        total = head + rows * height + (rows - 1) * gap + below
        self.figure = figure = Figure(figsize=(width, total))

        def note(x: float, y: float, text: str, **look: Any) -> None:
            figure.text(x / width, y / total, text, **look)

        note(edge, total - 0.12, "\n".join(titles), va="top", size=9.5, weight="bold")
        note(edge, total - 0.15 - 0.17 * len(titles), "\n".join(subtitles), va="top", color=MUTED)
        note(edge, 0.08, "\n".join(footers), va="bottom", size=6, color=MUTED)
        centre: dict[str, Any] = {"ha": "center", "va": "center", "color": AXIS}
        note((left + width - right) / 2, below - 0.32, x_label, **centre)
        note(0.2, (total - head + below) / 2, y_label, rotation=90, **centre)
        if legend:
            _draw_legend(figure, legend, legend_rows, edge / width, (foot + 0.03) / total)
        grid = figure.add_gridspec(
            rows,
            columns,
            left=left / width,
            right=1 - right / width,
            top=1 - head / total,
            bottom=below / total,
            hspace=gap / height,
            wspace=0.2 * columns / (width - left - right),
        )
        self.axes: list[Axes] = []
        for index, panel in enumerate(panels):
            axes = figure.add_subplot(grid[divmod(index, columns)])
            axes.set_title(panel)
            first = index % columns == 0
            axes.tick_params(labelbottom=index + columns >= len(panels), labelleft=first)
            if row_names:
                axes.set_yticks(range(len(row_names)), row_names if first else [])
                axes.tick_params(axis="y", length=0)
                axes.spines["left"].set_visible(False)
                axes.grid(visible=False, axis="y")
            self.axes.append(axes)


def _entry(colour: str, text: str, marker: str = "o") -> Entry:
    return {"color": colour, "marker": marker, "markersize": 6 if marker == "s" else 4.5}, text


def _family_entries(models: Sequence[Model]) -> list[Entry]:
    """One entry per family, in the tone of its middle model."""
    families = dict.fromkeys(model.family for model in models)
    kin = {family: [m for m in models if m.family == family] for family in families}
    return [_entry(ours[len(ours) // 2].colour, family) for family, ours in kin.items()]


def _legend_rows(entries: Sequence[Entry], width: float) -> int:
    longest = max((len(text) for _, text in entries), default=0)
    across = max(1, int(width / (0.4 + 0.062 * longest)))
    return -(-len(entries) // across)


def _draw_legend(figure: Figure, entries: Sequence[Entry], rows: int, x: float, y: float) -> None:
    from matplotlib.lines import Line2D

    figure.legend(
        handles=[Line2D([], [], linestyle="none", **look) for look, _ in entries],
        labels=[text for _, text in entries],
        loc="lower left",
        bbox_to_anchor=(x, y),
        ncols=-(-len(entries) // rows),
        borderaxespad=0,
        borderpad=0,
        handlelength=0.8,
        handletextpad=0.5,
    )


def _no_data(source: Source, title: str, why: str) -> Drawing:
    page = _Page(source, title, f"no data: {why}", height=0.2)
    page.axes[0].set_axis_off()
    return Drawing(page.figure, [])


def _footer(rows: Sequence[Row], intervals: bool = True) -> str:
    """Counts and judge of what a figure shows, and how its intervals were found."""
    rows = [row for row in rows if row["prompts"]]
    counts = f"n = {_span([row['prompts'] for row in rows])} prompts"
    if "samples" in rows[0]:
        turns = _span([round(row["samples"] / row["prompts"]) for row in rows])
        counts += f" with {turns} user turn{'' if turns == '1' else 's'} each"
    parts = [counts, f"judge: {rows[0]['judge']}"]
    if intervals:
        methods = ", ".join(sorted({row["method"] for row in rows}))
        parts.append(f"{100 * rows[0]['confidence']:g} % intervals: {methods}")
    return "  ·  ".join(parts)


def _span(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _label_points(axes: Axes, rows: Sequence[Row], texts: Sequence[str]) -> None:
    """Write each point's text near it, clear of other texts, points and bars where it can be."""
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
            covered = sum(_overlap(there, other) for other in (*points, *written))
            crossed = sum(_overlap(there, other) for other in bars)
            outside = there.width * there.height - _overlap(there, frame)
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


def _overlap(one: Any, other: Any) -> float:
    """Area that two boxes share."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return float(max(0.0, width) * max(0.0, height))


# --- colours and names --------------------------------------------------------------------------


def _models(rows: Sequence[Row]) -> list[Model]:
    """Looks of the models, in the order of the table: families, each from small to large."""
    families = list(dict.fromkeys(row["family"] for row in rows))
    sizes = [(row["family"], row["parameters"]) for row in rows]
    models = []
    for row in rows:
        slug, family, size = row["model"], row["family"], _size(row["parameters"])
        told = size and sizes.count((family, row["parameters"])) == 1
        kin = [other["model"] for other in rows if other["family"] == family]
        hue = FAMILY_COLOURS[families.index(family) % len(FAMILY_COLOURS)]
        models.append(
            Model(
                slug=slug,
                name=f"{family} {size}" if told else slug,
                short=size if told else slug,
                family=family,
                colour=_tone(hue, kin.index(slug), len(kin)),
            )
        )
    return models


def _size(parameters: float | None) -> str:
    if parameters is None:
        return ""
    return f"{parameters:g}B" if parameters >= 0.5 else f"{1000 * parameters:g}M"


def _tone(hue: str, place: int, count: int) -> str:
    """A family's hue for its model number `place` of `count`: light for small, dark for large."""
    if count == 1:
        return hue
    spread = (2 * place / (count - 1) - 1) * (1 - 1 / count)  # below 0 lighter, above 0 darker
    return _mix(hue, "white", -0.7 * spread) if spread < 0 else _mix(hue, "black", 0.55 * spread)


def _mix(colour: str, other: str, share: float) -> str:
    """A colour mixed with a share of another."""
    from matplotlib.colors import to_hex, to_rgb

    red, green, blue = (
        (1 - share) * one + share * two
        for one, two in zip(to_rgb(colour), to_rgb(other), strict=True)
    )
    return to_hex((red, green, blue))


def _dataset(slug: str) -> str:
    return "all datasets" if slug == ALL else slug


def _temperature(value: float) -> str:
    return "greedy" if value == GREEDY else f"temperature {value:g}"


# --- rows ---------------------------------------------------------------------------------------


def _read(name: str) -> list[Row]:
    """Rows of one table with numbers parsed and empty cells None."""
    path = tables.FOLDER / f"{name}.csv"
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            reader = csv.DictReader(handle)
            rows = [{key: _parse(key, cell) for key, cell in row.items()} for row in reader]
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path}: cannot be read ({error}); run `dvc repro tables`") from None
    if tuple(reader.fieldnames or ()) != tables.TABLES[name]:
        raise ArtifactError(f"{path}: has other columns than this version; run `dvc repro tables`")
    return rows


def _parse(column: str, cell: str) -> Any:
    if column in TEXT:
        return cell
    return float(cell) if cell else None


def _primary(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["primary"] == "true"]


def _is_pooled_base(row: Row) -> bool:
    return (row["condition"], row["dataset"]) == (BASE, ALL)


def _datasets(rows: Sequence[Row]) -> list[str]:
    """Datasets in the order of the table, pooled first."""
    found = dict.fromkeys(row["dataset"] for row in rows)
    return sorted(found, key=lambda dataset: dataset != ALL)


def _by_dataset(rows: Sequence[Row]) -> list[list[Row]]:
    return [[row for row in rows if row["dataset"] == name] for name in _datasets(rows)]


def _arms(row: Row, middle: str, low: str, high: str) -> list[list[float]]:
    """Lengths of the two arms of an error bar, in per cent."""
    return [[100 * max(0.0, row[middle] - row[low])], [100 * max(0.0, row[high] - row[middle])]]


def _columns(rows: Sequence[Row], *names: str) -> list[Row]:
    keys = ("model", "dataset", "condition", "temperature")
    return [{name: row[name] for name in (*keys, *names)} for row in rows]

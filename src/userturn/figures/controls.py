"""Figure: what each perturbation of the answer does to the rate, beside what it should do."""

from __future__ import annotations

from userturn.artifacts.csv_file import Columns, Kind, of
from userturn.figures._colours import FAINT, MUTED, SHADE, mix
from userturn.figures._figure import SHOWN, Drawing, Plot, Source, chosen, datasets
from userturn.figures._labels import POOLED, dataset_name, footer, temperature_name
from userturn.figures._page import Layout, entry, lay_out, no_data
from userturn.study.report import ALL

TITLE = "Controlled perturbations of the answer"
COLUMNS: Columns = {
    **SHOWN,
    **of(Kind.NUMBER, "rate_base rate difference low high p p_holm"),
    **of(Kind.NUMBER, "lenient_difference lenient_low lenient_high"),
    "prompts": Kind.COUNT,
    **of(Kind.NAME, "expected moved"),
}
ARROWS = {"up": "→", "down": "←", "open": "↔"}


def draw(source: Source) -> Drawing:
    """Draw a panel per perturbation, a line per dataset of one model or else per model."""
    rows = [row for row in source.table("controls") if row["difference"] is not None]
    models = source.models_in(rows)
    alone = len(models) == 1
    if not alone:
        rows = [row for row in rows if row["dataset"] == ALL]
    if not rows:
        return no_data(source, TITLE, "no perturbation has labelled turns beside the base's")
    temperatures = sorted({row["temperature"] for row in rows})
    expected = {row["condition"]: row["expected"] for row in rows}
    key = "dataset" if alone else "model"
    lines = (
        {name: dataset_name(name) for name in datasets(rows)}
        if alone
        else {model.slug: model.name for model in models}
    )
    markers = dict(zip(temperatures, "osD^vPX" * len(temperatures), strict=False))
    marked = len(temperatures) > 1
    scope = [models[0].name if alone else POOLED]
    scope += [temperature_name(temperatures[0])] * (not marked)
    layout = Layout(
        title=TITLE,
        subtitle=f"{', '.join(scope)}; shaded: the expected direction; "
        "hollow: the interval holds zero; pale tick: with turns that are only on topic",
        footer=footer(rows),
        panels=[f"{condition}  {ARROWS[where]}" for condition, where in expected.items()],
        height=0.2 + len(lines) * max(0.2, 0.13 * len(temperatures)),
        most_columns=len(expected),
        row_names=list(lines.values()),
        legend=[entry(MUTED, temperature_name(t), markers[t]) for t in temperatures] * marked,
        x_label="change of the follow-up rate (percentage points)",
    )
    page = lay_out(source, layout)
    colours = {model.slug: model.colour for model in models}
    reach = 106 * max(
        abs(row[name]) for row in rows for name in ("low", "high", "lenient_difference")
    )
    for axes, (condition, where) in zip(page.axes, expected.items(), strict=True):
        if where != "open":
            axes.axvspan(0, reach if where == "up" else -reach, color=SHADE, zorder=0)
        axes.axvline(0, color=FAINT, linewidth=0.9, zorder=1)
        axes.set(xlim=(-reach, reach), ylim=(len(lines) - 0.4, -0.6))
        axes.locator_params(axis="x", nbins=4)
        for row in (row for row in rows if row["condition"] == condition):
            step = temperatures.index(row["temperature"]) - (len(temperatures) - 1) / 2
            y = list(lines).index(row[key]) + step * 0.6 / len(temperatures)
            colour = colours[row["model"]]
            pale = mix(colour, "white", 0.3)
            lenient = 100 * row["lenient_difference"], y + 0.17 / len(temperatures)
            axes.plot(*lenient, "|", color=mix(colour, "white", 0.45), zorder=2)
            axes.hlines(y, 100 * row["low"], 100 * row["high"], color=pale, linewidth=1.1)
            axes.plot(
                100 * row["difference"],
                y,
                markers[row["temperature"]],
                color=colour,
                markerfacecolor="white" if row["moved"] == "undecided" else colour,
                zorder=3,
            )
    return Drawing(page.figure, chosen(rows, COLUMNS))


FIGURE = Plot(
    COLUMNS,
    draw,
    "What a changed answer does to the rate: the difference to the unperturbed turns of the same "
    "prompts.",
)

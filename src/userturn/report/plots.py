"""Part `plots`: the study's figures, each with the rows that it shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from userturn import figures
from userturn.artifacts import csv_file
from userturn.artifacts.csv_file import Kind
from userturn.figures._figure import Plot
from userturn.report._part import Part, Source
from userturn.report._svg import inlined

CAPTIONS = {
    "label_shares": "What the models' turns are, by label, with the unperturbed answer in front.",
    "rate_vs_temperature": "Rate of genuine follow-ups by the temperature at which turns were "
    "sampled.",
    "controls": "What a changed answer does to the rate: the difference to the unperturbed turns "
    "of the same prompts.",
    "accuracy_vs_rate": "How well a model solves the tasks, against how often its user turns react "
    "to the answer.",
}
"""What a figure shows, in one sentence; of others their name."""


def view(source: Source) -> Mapping[str, Any]:
    """Every figure, or why it is not here."""
    plots = figures.all_figures()
    order = [*(name for name in CAPTIONS if name in plots), *sorted(set(plots) - set(CAPTIONS))]
    drawn = "svg" in source.study.figures.formats
    return {
        "figures": [_figure(name, plots[name]) for name in order] if drawn else [],
        "reason": "" if drawn else "`figures.formats` of this study has no svg, which a page needs",
    }


def _figure(name: str, plot: Plot) -> dict[str, Any]:
    caption = CAPTIONS.get(name, name.replace("_", " "))
    return {
        "name": name,
        "caption": caption,
        "svg": inlined(figures.path_of(name, "svg"), name, caption),
        "columns": list(plot.columns),
        "numeric": [kind in (Kind.NUMBER, Kind.COUNT) for kind in plot.columns.values()],
        "rows": csv_file.read(figures.data_of(name), plot.columns, "figures"),
    }


PART = Part("Figures", view)

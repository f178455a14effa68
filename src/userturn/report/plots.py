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


def view(source: Source) -> Mapping[str, Any]:
    """Every figure, or why it is not here."""
    plots = figures.all_figures()
    drawn = "svg" in source.study.figures.formats
    return {
        "figures": [_figure(name, plot) for name, plot in plots.items()] if drawn else [],
        "reason": "" if drawn else "`figures.formats` of this study has no svg, which a page needs",
    }


def _figure(name: str, plot: Plot) -> dict[str, Any]:
    caption = plot.caption or name.replace("_", " ")
    return {
        "name": name,
        "caption": caption,
        "svg": inlined(figures.path_of(name, "svg"), name, caption),
        "columns": list(plot.columns),
        "numeric": [kind in (Kind.NUMBER, Kind.COUNT) for kind in plot.columns.values()],
        "rows": csv_file.read(figures.data_of(name), plot.columns, "figures"),
    }


PART = Part("Figures", view)

"""Figures, drawn from `reports/tables/*.csv` and nothing else. A module per figure.

Each figure is written in every format of the study, with the data that it shows as CSV beside it.
The same tables and the same parameters give the same bytes. All lengths are inches.

A module that defines FIGURE is one more figure: the columns of its data, a function that draws a
`Source`, and a caption.
"""

from __future__ import annotations

from pathlib import Path

from userturn.base import paths
from userturn.base.registry import load_all
from userturn.figures._figure import Plot

FOLDER = paths.REPORTS / "figures"
STYLE = Path(__file__).with_name("userturn.mplstyle")
ORDER = (
    "schematic",
    "label_shares",
    "rate_vs_temperature",
    "controls",
    "accuracy_vs_rate",
    "uptake",
    "convergence",
    "agreement",
)
"""Figures in the order of the page; those that are added come behind these, by name."""


def all_figures() -> dict[str, Plot]:
    """Every figure by its name, in the order of the page."""
    return load_all("figures", "FIGURE", first=ORDER)


def path_of(name: str, form: str) -> Path:
    """File of a figure in a format."""
    return FOLDER / f"{name}.{form}"


def data_of(name: str) -> Path:
    """CSV of what a figure shows. Its name tells it from a table's: some have the same names."""
    return FOLDER / f"{name}.data.csv"

"""What a figure is, and what it is drawn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from userturn import tables
from userturn.artifacts.csv_file import Columns, Kind, Row
from userturn.artifacts.schemas import BASE
from userturn.figures._colours import ModelLook, model_looks
from userturn.study.report import ALL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from userturn.study.study import Study

SHOWN: Columns = {
    "model": Kind.NAME,
    "dataset": Kind.NAME,
    "condition": Kind.NAME,
    "temperature": Kind.NUMBER,
}
"""Columns that say what a shown number is of."""


@dataclass(frozen=True)
class Source:
    """What figures are drawn from: tables by name, and how models look.

    Attributes:
        width: Width of every figure.
        models: The models in the order of the tables.
    """

    width: float
    models: list[ModelLook]

    def table(self, name: str) -> list[Row]:
        """Rows of a table; only the primary judge's where it has judges.

        Raises:
            ArtifactError: The table is missing, unreadable, or of another version.
        """
        return [row for row in tables.read(name) if row.get("primary", True)]

    def models_in(self, rows: Sequence[Row]) -> list[ModelLook]:
        """The models that have rows, in the order of the tables."""
        present = {row["model"] for row in rows}
        return [model for model in self.models if model.slug in present]


@dataclass(frozen=True)
class Drawing:
    """A figure and the rows that it shows."""

    figure: Figure
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Plot:
    """One `reports/figures/<name>`.

    Attributes:
        columns: Columns of the data that it shows, with their kinds.
        draw: Draws it.
        caption: What it shows, in one sentence.
    """

    columns: Columns
    draw: Callable[[Source], Drawing]
    caption: str = ""


def read_source(study: Study) -> Source:
    """Source of the figures of a study. Raises ArtifactError where there is no table `models`."""
    return Source(study.figures.width, model_looks(tables.read("models")))


def chosen(rows: Sequence[Row], columns: Columns) -> list[Row]:
    """The rows with these columns alone."""
    return [{name: row[name] for name in columns} for row in rows]


def is_pooled_base(row: Row) -> bool:
    """Whether a row is of all unperturbed turns of all datasets."""
    return (row["condition"], row["dataset"]) == (BASE, ALL)


def datasets(rows: Sequence[Row]) -> list[str]:
    """Datasets in the order of the table, pooled first."""
    present = dict.fromkeys(row["dataset"] for row in rows)
    return sorted(present, key=lambda dataset: dataset != ALL)


def by_dataset(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows of each of `datasets`."""
    return [[row for row in rows if row["dataset"] == name] for name in datasets(rows)]

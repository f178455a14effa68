"""Tables: every rate with its counts and interval. A module per table, found by its name.

How the numbers are made, in all tables:

- A rate is the mean over prompts of the share of a prompt's validly labelled turns; invalid and
  skipped turns are counted beside it. Empty and truncated turns have labels and are in it.
- `dataset = all` pools the prompts of all datasets, so that every prompt counts the same.
- Numbers have six significant digits; an empty cell means that there is nothing to report.
- Holm corrects over all rows of a table that share a judge, datasets and `all` together.

A module that defines TABLE is one more table: its columns with their kinds, and its rows as a
function of `Results`, which also has the rows of the other tables.
"""

from __future__ import annotations

from pathlib import Path

from userturn.artifacts import csv_file
from userturn.artifacts.csv_file import Row
from userturn.base import paths
from userturn.base.registry import load, load_all
from userturn.tables._table import Table

FOLDER = paths.REPORTS / "tables"
METRICS = paths.REPORTS / "metrics.json"
HEADLINE = paths.REPORTS / "headline"
"""Folder of what `dvc metrics show` prints: a file per model, a row there."""


def all_tables() -> dict[str, Table]:
    """Every table by its name."""
    return load_all("tables", "TABLE")


def path_of(name: str) -> Path:
    """File of a table."""
    return FOLDER / f"{name}.csv"


def read(name: str) -> list[Row]:
    """Rows of a table that stage `tables` wrote.

    Raises:
        ArtifactError: The file is missing, unreadable, or of another version.
    """
    table: Table = load("tables", name, "TABLE")
    return csv_file.read(path_of(name), table.columns, "tables")

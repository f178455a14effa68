"""What a table is, and the columns that several share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from userturn.artifacts.csv_file import Columns, Kind, Row, of

if TYPE_CHECKING:
    from userturn.tables._results import Results


@dataclass(frozen=True, slots=True)
class Table:
    """One `reports/tables/<name>.csv`.

    Attributes:
        columns: Its columns with their kinds, in their order.
        rows: Its rows, made of the results of a study.
    """

    columns: Columns
    rows: Callable[[Results], list[Row]]


GROUP: Columns = {
    "judge": Kind.NAME,
    "primary": Kind.FLAG,
    "model": Kind.NAME,
    "dataset": Kind.NAME,
    "condition": Kind.NAME,
    "temperature": Kind.NUMBER,
}
"""What a rate is of: see `Judged.identity`."""

MEASURES: Columns = of(Kind.NUMBER, "uptake relevance role_voice restatement echo loop")
"""Columns of kind `grounding` that tables show of turns."""


def bounded(*names: str) -> Columns:
    """Columns of estimates with their bounds: `strict`, `strict_low`, `strict_high`."""
    return of(
        Kind.NUMBER, " ".join(f"{name}{end}" for name in names for end in ("", "_low", "_high"))
    )

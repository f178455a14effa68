"""Table `agreement`: every pair of raters, judges and people, on the turns that both labelled.

As `userturn agreement` prints it; empty where there are no two raters with turns in common.
"""

from __future__ import annotations

from userturn.artifacts.csv_file import Row
from userturn.judges.human import agreement
from userturn.tables._results import Results
from userturn.tables._table import Table


def rows(results: Results) -> list[Row]:
    """One row per pair and label."""
    return [agreement.row_of(one) for one in agreement.pairs(results.study)]


TABLE = Table(agreement.COLUMNS, rows)

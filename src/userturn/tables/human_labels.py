"""Table `human_labels`: share and count of every label among the real next turns.

The columns are those of table `labels`; there is no temperature.
"""

from __future__ import annotations

from userturn.artifacts.csv_file import Row
from userturn.tables import labels
from userturn.tables._results import Results
from userturn.tables._table import Table
from userturn.tables.human import groups


def rows(results: Results) -> list[Row]:
    """One row per judge, dataset and label."""
    wanted = groups(results.study)
    return [row for judged in results.human for row in labels.rows_of(judged, wanted)]


TABLE = Table(labels.TABLE.columns, rows)

"""Table `human`: rates of the real next turns, measured and judged as the turns of a model.

People do not always react to the answer either, so this is what a model's rate can be read beside.
The columns are those of table `rates`; there is no temperature. `adjusted` rests on held-out turns
that people wrote. Empty where the study names no dataset in `prompts.human`.
"""

from __future__ import annotations

from userturn.artifacts.csv_file import Row
from userturn.artifacts.schemas import BASE
from userturn.study.report import ALL
from userturn.study.study import Study
from userturn.tables import rates
from userturn.tables._adjusted import known
from userturn.tables._groups import Group
from userturn.tables._results import Results
from userturn.tables._table import Table


def groups(study: Study) -> list[Group]:
    """The datasets that have real next turns, then all of them pooled."""
    return [(dataset, BASE, None) for dataset in (*study.prompts.human, ALL)]


def rows(results: Results) -> list[Row]:
    """One row per judge and dataset."""
    if not results.human:
        return []
    held_out = known(results.study, people=True)
    return [
        rates.row_of(judged, group, held_out)
        for judged in results.human
        for group in groups(results.study)
    ]


TABLE = Table(rates.TABLE.columns, rows)

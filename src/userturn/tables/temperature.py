"""Table `temperature`: each temperature against greedy decoding, over unperturbed answers.

It has no rows where the study has no greedy turns.
"""

from __future__ import annotations

from userturn.artifacts.csv_file import Row
from userturn.artifacts.schemas import BASE
from userturn.tables._groups import GREEDY, grid
from userturn.tables._intervals import CONTRAST, contrast_row, with_holm
from userturn.tables._results import Judged, Results
from userturn.tables._table import GROUP, Table


def rows(results: Results) -> list[Row]:
    """One row per judge, model, dataset and warmer temperature."""
    if GREEDY not in results.study.generate.user_turn.temperatures:
        return []
    return with_holm([row for judged in results.judged() for row in rows_of(judged)])


def rows_of(judged: Judged) -> list[Row]:
    """Contrasts without their correction."""
    made = []
    for dataset, condition, temperature in grid(judged.study):
        if condition != BASE or temperature == GREEDY:
            continue
        group = dataset, condition, temperature
        against = judged.groups[dataset, BASE, GREEDY]
        between = contrast_row(judged.study, against, judged.groups[group])
        made.append({**judged.identity(group), **between})
    return made


TABLE = Table({**GROUP, **CONTRAST}, rows)

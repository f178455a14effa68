"""Table `controls`: each perturbation against `base` at its temperature, over the same prompts.

Every turn is judged by the answer that its context showed: under `swap`, another prompt's. So the
rows say how the model behaves; table `unseen` tests the measure with the answer that was not shown.
`moved` is `up` or `down` where the interval of the difference excludes zero, else `undecided`.
"""

from __future__ import annotations

from userturn.artifacts.csv_file import Kind, Row
from userturn.artifacts.schemas import BASE
from userturn.perturbations import named
from userturn.tables._groups import grid
from userturn.tables._intervals import CONTRAST, contrast_row, with_holm
from userturn.tables._results import Judged, Results
from userturn.tables._table import GROUP, Table


def rows(results: Results) -> list[Row]:
    """One row per judge, model and perturbed group."""
    return with_holm([row for judged in results.judged() for row in rows_of(judged)])


def rows_of(judged: Judged) -> list[Row]:
    """Contrasts without their correction."""
    made = []
    for dataset, condition, temperature in grid(judged.study):
        if condition == BASE:
            continue
        group = dataset, condition, temperature
        against = judged.groups[dataset, BASE, temperature]
        between = contrast_row(judged.study, against, judged.groups[group])
        made.append(
            {
                **judged.identity(group),
                **between,
                "expected": named(condition).expected,
                "moved": _moved(between["low"], between["high"]),
            }
        )
    return made


def _moved(low: float | None, high: float | None) -> str | None:
    if low is None or high is None:
        return None
    if low <= 0 <= high:
        return "undecided"
    return "up" if low > 0 else "down"


TABLE = Table(
    {**GROUP, **CONTRAST, "expected": Kind.NAME, "moved": Kind.NAME},
    rows,
)

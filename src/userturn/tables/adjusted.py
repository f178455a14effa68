"""Table `adjusted`: what a judge's errors on held-out turns make of its rates, by every method.

`rates` has the recommended one of them. They lean on different assumptions (stats/quantify.py), so
where they lie far apart the judge meets turns unlike those that it was fitted on, and turns should
be read: labels by people give `prediction_powered` (table `corrected`), which assumes nothing of
the judge.
"""

from __future__ import annotations

from userturn.artifacts.csv_file import Kind, Row, of
from userturn.artifacts.schemas import BASE
from userturn.stats.quantify import ESTIMATORS, Known
from userturn.study.judges import LIKELIHOOD
from userturn.tables._adjusted import estimates, known
from userturn.tables._groups import Group
from userturn.tables._results import Judged, Results
from userturn.tables._table import GROUP, Table, bounded

PEOPLE = "prediction_powered"
ENDS = ("", "_low", "_high")


def rows(results: Results) -> list[Row]:
    """One row per model and group of the likelihood judge that has a rate."""
    held_out = known(results.study)
    if held_out is None:
        return []
    judged = {one.model: one for one in results.judged() if one.judge == LIKELIHOOD}
    read = {
        (row["model"], row["dataset"], row["temperature"]): row
        for row in results.table("corrected")
        if row["judge"] == LIKELIHOOD
    }
    return [
        row_of(
            judged[row["model"]],
            held_out,
            row,
            read.get((row["model"], row["dataset"], row["temperature"]), {})
            if row["condition"] == BASE
            else {},
        )
        for row in results.table("rates")
        if row["judge"] == LIKELIHOOD and row["rate"] is not None
    ]


def row_of(judged: Judged, held_out: Known, rate: Row, read: Row) -> Row:
    """Every estimate of one group.

    Args:
        judged: The judge's labels on the model's turns.
        held_out: Turns that say how often it is right.
        rate: The group's row of table `rates`.
        read: Its row of table `corrected`; empty where people labelled nothing.
    """
    group: Group = rate["dataset"], rate["condition"], rate["temperature"]
    columns: Row = {}
    for method, one in estimates(judged, held_out, group, tuple(ESTIMATORS)).items():
        values = (one.estimate, one.low, one.high)
        names = (f"{method}{end}" for end in ENDS)
        columns |= dict(zip(names, values, strict=True))
    return {
        **{name: rate[name] for name in (*GROUP, "rate", "low", "high", "confidence")},
        **columns,
        **{f"{PEOPLE}{end}": read.get(f"{PEOPLE}{end}") for end in ENDS},
        "between": held_out.between,
        "held_out": held_out.followup.size,
        "held_out_prompts": held_out.prompts,
    }


TABLE = Table(
    {
        **GROUP,
        **of(Kind.NUMBER, "rate low high confidence"),
        **bounded(*ESTIMATORS, PEOPLE),
        "between": Kind.NUMBER,
        **of(Kind.COUNT, "held_out held_out_prompts"),
    },
    rows,
)

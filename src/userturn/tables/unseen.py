"""Table `unseen`: a test of the judge with answers that the turns cannot react to.

A turn under `swap` saw another prompt's answer. `rate` is the share of such turns that a judge
calls a follow-up when it is shown their own prompt's answer instead, which they never saw: what
remains there is the judge's error, or chance. `shown` is the rate of the same turns by the answer
that they saw, which is the model's behaviour (table `controls`). A study without `swap` has no
rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from userturn.artifacts.csv_file import Kind, Row, of
from userturn.artifacts.labels import Label
from userturn.artifacts.schemas import SWAP
from userturn.stats.intervals import Interval, rate
from userturn.tables._groups import by_prompt, clustered, grid, shares
from userturn.tables._intervals import bounds, settings
from userturn.tables._results import Judged, Results
from userturn.tables._table import GROUP, Table, bounded

if TYPE_CHECKING:
    import polars as pl


def rows(results: Results) -> list[Row]:
    """One row per judge, model, dataset and temperature of `swap`."""
    return [row for judged in results.judged() for row in rows_of(judged)]


def rows_of(judged: Judged) -> list[Row]:
    """What a judge says of the turns of one model."""
    unseen = by_prompt(judged.unseen)
    made = []
    for group in grid(judged.study):
        if group[1] != SWAP:
            continue
        prompts = unseen[group]
        own, shown = (_rate(judged, one) for one in (prompts, judged.groups[group]))
        made.append(
            {
                **judged.identity(group),
                **bounds(own, "rate"),
                **bounds(shown, "shown", "shown_low", "shown_high"),
                "confidence": judged.study.statistics.confidence,
                "method": own.method,
                "prompts": int((prompts["valid"] > 0).sum()),
                "followups": int(prompts[Label.FOLLOWUP.value].sum()),
                **{name: int(prompts[name].sum()) for name in ("samples", "invalid")},
                "expected": "zero",
            }
        )
    return made


def _rate(judged: Judged, prompts: pl.DataFrame) -> Interval:
    values = shares(prompts, Label.FOLLOWUP)
    return rate(values, clustered(prompts), *settings(judged.study))


TABLE = Table(
    {
        **GROUP,
        **of(Kind.NUMBER, "rate low high"),
        **bounded("shown"),
        "confidence": Kind.NUMBER,
        "method": Kind.NAME,
        **of(Kind.COUNT, "prompts samples followups invalid"),
        "expected": Kind.NAME,
    },
    rows,
)

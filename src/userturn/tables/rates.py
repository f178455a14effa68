"""Table `rates`: genuine follow-up rates of every group."""

from __future__ import annotations

from userturn.artifacts.csv_file import Kind, Row, of
from userturn.artifacts.labels import Label
from userturn.stats.intervals import rate
from userturn.tables._groups import clustered, grid, shares
from userturn.tables._intervals import bounds, settings
from userturn.tables._results import Judged, Results
from userturn.tables._table import GROUP, Table

COUNTED = ("samples", "invalid", "truncated", "skipped")


def rows(results: Results) -> list[Row]:
    """One row per judge, model and group."""
    return [row for judged in results.judged() for row in rows_of(judged)]


def rows_of(judged: Judged) -> list[Row]:
    """Rates; `samples` are the generated turns, `invalid` those without label."""
    study = judged.study
    made = []
    for group in grid(study):
        prompts = judged.groups[group]
        followups = shares(prompts, Label.FOLLOWUP)
        interval = rate(followups, clustered(prompts), *settings(study))
        made.append(
            {
                **judged.identity(group),
                **bounds(interval, "rate"),
                "confidence": study.statistics.confidence,
                "method": interval.method,
                "prompts": followups.size,
                "followups": int(prompts[Label.FOLLOWUP.value].sum()),
                "empty": int(prompts["empty_turns"].sum()),
                **{name: int(prompts[name].sum()) for name in COUNTED},
            }
        )
    return made


TABLE = Table(
    {
        **GROUP,
        **of(Kind.NUMBER, "rate low high confidence"),
        "method": Kind.NAME,
        **of(Kind.COUNT, "prompts samples followups invalid truncated empty skipped"),
    },
    rows,
)

"""Table `rates`: genuine follow-up rates of every group.

`rate` is the strict rate: the share of turns that react to their answer. `lenient` counts turns on
the query's subject as well, whether or not they take anything from the answer. `adjusted` is the
strict rate set right by what the likelihood judge is known to get wrong (table `adjusted`); other
judges have none.
"""

from __future__ import annotations

from userturn.artifacts.csv_file import Kind, Row, of
from userturn.artifacts.labels import LENIENT, Label
from userturn.stats.corrected import Corrected
from userturn.stats.intervals import rate
from userturn.stats.quantify import RECOMMENDED, Known
from userturn.tables._adjusted import adjusted, known
from userturn.tables._groups import Group, clustered, grid, shares
from userturn.tables._intervals import bounds, settings
from userturn.tables._results import Judged, Results
from userturn.tables._table import GROUP, Table, bounded

COUNTED = ("samples", "invalid", "truncated", "skipped")


def rows(results: Results) -> list[Row]:
    """One row per judge, model and group."""
    held_out = known(results.study)
    return [row for judged in results.judged() for row in rows_of(judged, held_out)]


def rows_of(judged: Judged, held_out: Known | None) -> list[Row]:
    """Rates of every group of the study. Arguments as those of `row_of`."""
    return [row_of(judged, group, held_out) for group in grid(judged.study)]


def row_of(judged: Judged, group: Group, held_out: Known | None) -> Row:
    """Rates of one group; `samples` are its turns, `invalid` those without label.

    Args:
        judged: Labels of one judge on the turns of one speaker.
        group: Which of the turns.
        held_out: Turns that say how often the likelihood judge is right.
    """
    study, prompts = judged.study, judged.groups[group]
    followups = shares(prompts, Label.FOLLOWUP)
    interval = rate(followups, clustered(prompts), *settings(study))
    lenient = rate(shares(prompts, *LENIENT), clustered(prompts), *settings(study))
    return {
        **judged.identity(group),
        **bounds(interval, "rate"),
        **bounds(lenient, "lenient", "lenient_low", "lenient_high"),
        **_adjusted_columns(adjusted(judged, held_out, group, RECOMMENDED)),
        "confidence": study.statistics.confidence,
        "method": interval.method,
        "prompts": followups.size,
        "followups": int(prompts[Label.FOLLOWUP.value].sum()),
        "on_topic": int(prompts[Label.ON_TOPIC.value].sum()),
        "empty": int(prompts["empty_turns"].sum()),
        **{name: int(prompts[name].sum()) for name in COUNTED},
    }


def _adjusted_columns(result: Corrected) -> Row:
    return {
        "adjusted": result.estimate,
        "adjusted_low": result.low,
        "adjusted_high": result.high,
        "adjusted_method": None if result.estimate is None else RECOMMENDED,
    }


TABLE = Table(
    {
        **GROUP,
        **of(Kind.NUMBER, "rate low high"),
        **bounded("lenient", "adjusted"),
        "adjusted_method": Kind.NAME,
        "confidence": Kind.NUMBER,
        "method": Kind.NAME,
        **of(Kind.COUNT, "prompts samples followups on_topic invalid truncated empty skipped"),
    },
    rows,
)

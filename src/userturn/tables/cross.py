"""Table `cross`: rates of each writer behind each source of answers.

`model` writes the user turns, `source` wrote the answers that they stand behind: `self`, the
dataset (`reference`), or another model of the study. `rate` is that pair's own. `difference` is
what another source's answers change against the writer's own at that temperature, over the prompts
that have turns behind both. Turns behind other answers enter no other rate.
"""

from __future__ import annotations

from collections.abc import Iterator

from userturn.artifacts.csv_file import Columns, Kind, Row, of
from userturn.artifacts.labels import LENIENT, Label
from userturn.artifacts.schemas import BASE, BEHIND
from userturn.stats.intervals import rate
from userturn.study.generate import SELF
from userturn.study.report import ALL
from userturn.tables._groups import clustered, shares
from userturn.tables._intervals import bounds, contrast_row, settings, with_holm
from userturn.tables._results import Judged, Results
from userturn.tables._table import GROUP, Table, bounded

DIFFERENCE: Columns = {
    **of(Kind.NUMBER, "difference difference_low difference_high p p_holm"),
    "test": Kind.NAME,
    **of(Kind.NUMBER, "lenient_difference lenient_difference_low lenient_difference_high"),
    "pairs": Kind.COUNT,
}
COUNTED = ("samples", "invalid", "truncated", "skipped")


def rows(results: Results) -> list[Row]:
    """One row per judge, writer, dataset, temperature and source, the writer itself first."""
    return with_holm([row for judged in results.judged() for row in rows_of(judged)])


def rows_of(judged: Judged) -> Iterator[Row]:
    """Rates and contrasts without their correction; none of a model that writes behind no other."""
    study = judged.study
    others = study.sources_of(judged.model)
    if not others:
        return
    for dataset in (*study.prompts.datasets, ALL):
        for temperature in sorted(study.generate.user_turn.temperatures):
            for source in (SELF, *others):
                condition = BASE if source == SELF else BEHIND + source
                yield _row(judged, (dataset, condition, temperature), source)


def _row(judged: Judged, group: tuple[str, str, float], source: str) -> Row:
    study, (dataset, _, temperature) = judged.study, group
    prompts = judged.groups[group]
    followups = shares(prompts, Label.FOLLOWUP)
    interval = rate(followups, clustered(prompts), *settings(study))
    lenient = rate(shares(prompts, *LENIENT), clustered(prompts), *settings(study))
    difference: Row = dict.fromkeys(DIFFERENCE)
    if source != SELF:
        own = judged.groups[dataset, BASE, temperature]
        between = contrast_row(study, own, prompts)
        difference |= {
            **{name: between[name] for name in ("difference", "p", "test", "lenient_difference")},
            "difference_low": between["low"],
            "difference_high": between["high"],
            "lenient_difference_low": between["lenient_low"],
            "lenient_difference_high": between["lenient_high"],
            "pairs": between["prompts"],
        }
    return {
        **judged.identity(group),
        "source": source,
        **bounds(interval, "rate"),
        **bounds(lenient, "lenient", "lenient_low", "lenient_high"),
        "confidence": study.statistics.confidence,
        "method": interval.method,
        **difference,
        "prompts": followups.size,
        "followups": int(prompts[Label.FOLLOWUP.value].sum()),
        "empty": int(prompts["empty_turns"].sum()),
        **{name: int(prompts[name].sum()) for name in COUNTED},
    }


TABLE = Table(
    {
        **GROUP,
        "source": Kind.NAME,
        **of(Kind.NUMBER, "rate low high"),
        **bounded("lenient"),
        "confidence": Kind.NUMBER,
        "method": Kind.NAME,
        **DIFFERENCE,
        **of(Kind.COUNT, "prompts samples followups invalid truncated empty skipped"),
    },
    rows,
)

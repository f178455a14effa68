"""Intervals and contrasts as columns of a row. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from userturn.artifacts.csv_file import Columns, Kind, Row, of
from userturn.artifacts.labels import LENIENT, Label
from userturn.stats.intervals import Interval, holm, paired_contrast
from userturn.study.study import Study
from userturn.tables._groups import shares

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

CONTRAST: Columns = {
    **of(Kind.NUMBER, "rate_base rate difference low high confidence"),
    "method": Kind.NAME,
    **of(Kind.NUMBER, "p p_holm"),
    "test": Kind.NAME,
    **of(Kind.NUMBER, "lenient_difference lenient_low lenient_high"),
    "prompts": Kind.COUNT,
}
"""Columns of a contrast, see `contrast_row`; all but the `lenient` ones are of the strict rate."""


def settings(study: Study) -> tuple[float, int, int]:
    """Confidence, bootstrap resamples and seed: the last arguments of every interval."""
    return study.statistics.confidence, study.statistics.bootstrap, study.seed


def bounds(interval: Interval, estimate: str, low: str = "low", high: str = "high") -> Row:
    """An interval as three columns of these names."""
    return {estimate: interval.estimate, low: interval.low, high: interval.high}


def pairs(
    base: pl.DataFrame, changed: pl.DataFrame, labels: Sequence[Label] = (Label.FOLLOWUP,)
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of labels in two groups, over the prompts that have a valid turn in both."""
    import polars as pl

    def shared(one: pl.DataFrame, other: pl.DataFrame) -> NDArray[np.float64]:
        valid = other.filter(pl.col("valid") > 0)
        both = one.join(valid, on=("dataset", "item"), how="semi").sort("dataset", "item")
        return shares(both.filter(pl.col("valid") > 0), *labels)

    return shared(base, changed), shared(changed, base)


def contrast_row(study: Study, base: pl.DataFrame, changed: pl.DataFrame) -> Row:
    """The columns CONTRAST of two groups; `p_holm` stays open until the table is complete."""
    strict, lenient = (
        paired_contrast(before, after, *settings(study))
        for before, after in (pairs(base, changed), pairs(base, changed, LENIENT))
    )
    return {
        "rate_base": strict.base,
        "rate": strict.changed,
        **bounds(strict.difference, "difference"),
        "confidence": study.statistics.confidence,
        "method": strict.difference.method,
        "p": strict.p,
        "p_holm": None,
        "test": strict.test,
        **bounds(lenient.difference, "lenient_difference", "lenient_low", "lenient_high"),
        "prompts": strict.prompts,
    }


def with_holm(rows: Sequence[Row]) -> list[Row]:
    """The rows of a whole table with `p_holm`, one family of tests per judge."""
    families: dict[str, list[Row]] = {}
    for row in rows:
        families.setdefault(row["judge"], []).append(row)
    for family in families.values():
        for row, p in zip(family, holm([row["p"] for row in family]), strict=True):
            row["p_holm"] = p
    return list(rows)

"""Intervals and contrasts as columns of a row. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from userturn.artifacts.csv_file import Columns, Kind, Row, of
from userturn.artifacts.labels import Label
from userturn.stats.intervals import Contrast, Interval, holm, paired_contrast
from userturn.study.study import Study

if TYPE_CHECKING:
    import polars as pl

CONTRAST: Columns = {
    **of(Kind.NUMBER, "rate_base rate difference low high confidence"),
    "method": Kind.NAME,
    **of(Kind.NUMBER, "p p_holm"),
    "test": Kind.NAME,
    "prompts": Kind.COUNT,
}
"""Columns of a contrast, see `contrast_row`."""


def settings(study: Study) -> tuple[float, int, int]:
    """Confidence, bootstrap resamples and seed: the last arguments of every interval."""
    return study.statistics.confidence, study.statistics.bootstrap, study.seed


def bounds(interval: Interval, estimate: str, low: str = "low", high: str = "high") -> Row:
    """An interval as three columns of these names."""
    return {estimate: interval.estimate, low: interval.low, high: interval.high}


def contrast(study: Study, base: pl.DataFrame, changed: pl.DataFrame) -> Contrast:
    """Follow-up rates of two groups over the prompts that have a valid turn in both."""
    pairs = base.filter(base["valid"] > 0).join(
        changed.filter(changed["valid"] > 0), on=("dataset", "item"), how="inner"
    )
    pairs = pairs.sort("dataset", "item")
    followup = Label.FOLLOWUP.value
    return paired_contrast(
        (pairs[followup] / pairs["valid"]).to_numpy(),
        (pairs[f"{followup}_right"] / pairs["valid_right"]).to_numpy(),
        *settings(study),
    )


def contrast_row(study: Study, contrast: Contrast) -> Row:
    """The columns CONTRAST; `p_holm` stays open until the table is complete."""
    return {
        "rate_base": contrast.base,
        "rate": contrast.changed,
        **bounds(contrast.difference, "difference"),
        "confidence": study.statistics.confidence,
        "method": contrast.difference.method,
        "p": contrast.p,
        "p_holm": None,
        "test": contrast.test,
        "prompts": contrast.prompts,
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

"""Table `checks`: controls on the measure itself, what it must give if it means what it says.

| check | value | expected |
| --- | --- | --- |
| `moved` | share labelled `followup` of turns moved there from another conversation | zero |
| `spam` | the same of questions that fit any answer | zero |
| `closing` | the same of thanks and goodbyes | zero |
| `loop` | the same of words said over and over | zero |
| `uptake` | mean `A` of the model's unperturbed turns, nats per token | above zero |
| `uptake_swap` | mean `A` for their prompt's answer of turns behind another's | about zero |
| `memorised` | share of unperturbed turns that stand for another prompt too (table `turns`) | low |

The first four come from the calibration, which a probe has not, and hold for every model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from userturn.artifacts import csv_file
from userturn.artifacts.csv_file import Kind, Row, of
from userturn.artifacts.schemas import BASE
from userturn.base import paths
from userturn.judges.calibration.columns import KINDS
from userturn.study.study import Study
from userturn.tables._intervals import settings
from userturn.tables._results import ModelResults, Results
from userturn.tables._table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

REFERENCES = {"moved": "zero", "spam": "zero", "closing": "zero", "loop": "zero"}


def rows(results: Results) -> list[Row]:
    """Checks of the judge, then of every model."""
    looks = results.table("turns")
    return reference_rows() + [
        row
        for model in results.models
        for row in (
            *uptake_rows(model),
            memorised_row(model.slug, [look for look in looks if look["model"] == model.slug]),
        )
    ]


def reference_rows() -> list[Row]:
    """What the likelihood judge calls a follow-up among turns of known label; none in a probe."""
    path = paths.CALIBRATION / "kinds.csv"
    if not path.exists():
        return []
    kinds = csv_file.read(path, KINDS, "calibrate")
    by_kind = {row["kind"]: row for row in kinds if row["calibration"] == "given"}
    return [
        _row(
            check=kind,
            value=by_kind[kind]["followup"],
            expected=expected,
            **{name: by_kind[kind][name] for name in ("low", "high", "confidence", "turns")},
        )
        for kind, expected in REFERENCES.items()
        if kind in by_kind
    ]


def uptake_rows(model: ModelResults) -> list[Row]:
    """Mean `A` of a model's own turns, and of those that never saw their prompt's answer."""
    import polars as pl

    made = []
    for check, turns, expected in (
        ("uptake", model.turns.filter(pl.col("condition") == BASE), "above zero"),
        ("uptake_swap", model.unseen, "about zero"),
    ):
        scored = turns.filter(pl.col("uptake").is_not_null())
        means = scored.group_by("dataset", "item").agg(pl.col("uptake").mean())
        values = means.sort("dataset", "item")["uptake"].to_numpy()
        made.append(
            _row(
                check=check,
                model=model.slug,
                turns=scored.height,
                prompts=values.size,
                expected=expected,
                **_mean(model.study, values),
            )
        )
    return made


def memorised_row(model: str, looks: Sequence[Row]) -> Row:
    """Share of a model's unperturbed turns that stand for another prompt too.

    Args:
        model: Its slug.
        looks: Its rows of table `turns`.
    """
    base = [row for row in looks if row["condition"] == BASE and row["memorised"] is not None]
    count = sum(row["samples"] for row in base)
    repeated = sum(row["memorised"] * row["samples"] for row in base)
    value = repeated / count if count else None
    return _row(check="memorised", model=model, value=value, turns=count, expected="low")


def _row(**given: Any) -> Row:
    return dict.fromkeys(TABLE.columns) | given


def _mean(study: Study, values: NDArray[Any]) -> Row:
    """Mean over prompts with a percentile bootstrap interval; no interval for fewer than two."""
    import numpy as np
    from scipy.stats import bootstrap

    confidence, resamples, seed = settings(study)
    if values.size < 2:
        return {"value": float(values[0]) if values.size else None, "confidence": confidence}
    interval = bootstrap(
        (values,),
        np.mean,
        confidence_level=confidence,
        n_resamples=resamples,
        method="percentile",
        rng=seed,
    ).confidence_interval
    return {
        "value": float(values.mean()),
        "low": float(interval.low),
        "high": float(interval.high),
        "confidence": confidence,
    }


TABLE = Table(
    {
        **of(Kind.NAME, "check model"),
        **of(Kind.NUMBER, "value low high confidence"),
        **of(Kind.COUNT, "turns prompts"),
        "expected": Kind.NAME,
    },
    rows,
)

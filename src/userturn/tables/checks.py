"""Table `checks`: controls on the measure itself, what it must give if it means what it says.

| check | value | expected |
| --- | --- | --- |
| `moved` | share labelled `followup` of turns moved there from another conversation | zero |
| `spam` | the same of questions that fit any answer | zero |
| `closing` | the same of thanks and goodbyes | zero |
| `loop` | the same of words said over and over | zero |
| `uptake` | mean uptake `A` of the model's unperturbed turns, nats per token | above zero |
| `uptake_swap` | the same of turns behind another prompt's answer, of that answer | above zero |
| `uptake_unseen` | the same of their own prompt's answer, which they never saw | about zero |
| `unseen` | share of these that the judge calls a follow-up to it (table `unseen`) | zero |
| `memorised` | share of unperturbed turns that stand for another prompt too (table `turns`) | low |

The first four come from the calibration, which a probe has not, and hold for every model. `unseen`
is the primary judge's, over all prompts, at the lowest temperature of the controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from userturn.artifacts import csv_file
from userturn.artifacts.csv_file import Kind, Row, of
from userturn.artifacts.schemas import BASE, SWAP
from userturn.base import paths
from userturn.judges.calibration.columns import KINDS
from userturn.study.report import ALL
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
            *unseen_rows(results, model.slug),
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
    """Mean uptake of a model's turns: its own, then those behind another prompt's answer."""
    import polars as pl

    made = []
    for check, turns, condition, expected in (
        ("uptake", model.turns, BASE, "above zero"),
        ("uptake_swap", model.turns, SWAP, "above zero"),
        ("uptake_unseen", model.unseen, SWAP, "about zero"),
    ):
        scored = turns.filter((pl.col("condition") == condition) & pl.col("uptake").is_not_null())
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


def unseen_rows(results: Results, model: str) -> list[Row]:
    """The row of table `unseen` that checks the primary judge; none in a study without `swap`."""
    coldest = min(results.study.perturb.temperatures)
    same = ("low", "high", "confidence", "prompts", "expected")
    return [
        _row(
            check="unseen",
            model=model,
            value=row["rate"],
            turns=row["samples"] - row["invalid"],
            **{name: row[name] for name in same},
        )
        for row in results.table("unseen")
        if row["primary"]
        and (row["model"], row["dataset"], row["temperature"]) == (model, ALL, coldest)
    ]


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

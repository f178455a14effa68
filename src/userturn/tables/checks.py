"""Controls on the measure itself, for every report: what it must give if it means what it says.

| check | value | expected |
| --- | --- | --- |
| `true` | share of real follow-ups labelled `followup` | high |
| `moved` | the same of follow-ups moved there from another conversation | low |
| `spam` | the same of questions that fit any answer | zero |
| `grounding` | mean `G` of the model's unperturbed turns, nats per token | above zero |
| `grounding_swap` | mean `G` for their prompt's answer of turns behind another's | about zero |
| `memorised` | share of unperturbed turns that stand for another prompt too (table `turns`) | low |

The first three come from the calibration, which a probe has not, and hold for every model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from userturn.artifacts import BASE, SWAP
from userturn.base import paths

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from userturn.study.study import Study

Row = dict[str, Any]

COLUMNS = ("check", "model", "value", "low", "high", "confidence", "turns", "prompts", "expected")
REFERENCES = {"true": "high", "moved": "low", "spam": "zero"}


def reference_rows() -> list[Row]:
    """What the likelihood judge calls a follow-up among turns of known label; none in a probe."""
    import polars as pl

    path = paths.CALIBRATION / "controls.csv"
    if not path.exists():
        return []
    found = pl.read_csv(path).filter(pl.col("calibration") == "given")
    by_kind = {row["kind"]: row for row in found.iter_rows(named=True)}
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


def model_rows(study: Study, model: str, turns: pl.DataFrame, turn_rows: list[Row]) -> list[Row]:
    """What is expected of one model's own turns.

    Args:
        study: The study.
        model: The model.
        turns: User turns with their measures.
        turn_rows: The model's rows of the table `turns`.
    """
    import polars as pl

    rows = []
    for check, condition, expected in (
        ("grounding", BASE, "above zero"),
        ("grounding_swap", SWAP, "about zero"),
    ):
        measured = turns.filter(
            (pl.col("condition") == condition) & pl.col("grounding").is_not_null()
        )
        means = measured.group_by("dataset", "item").agg(pl.col("grounding").mean())
        values = means.sort("dataset", "item")["grounding"].to_numpy()
        rows.append(
            _row(
                check=check,
                model=model,
                turns=measured.height,
                prompts=values.size,
                expected=expected,
                **_mean(study, values),
            )
        )
    base = [row for row in turn_rows if row["condition"] == BASE and row["memorised"] is not None]
    count = sum(row["samples"] for row in base)
    repeated = sum(row["memorised"] * row["samples"] for row in base)
    value = repeated / count if count else None
    last = _row(check="memorised", model=model, value=value, turns=count, expected="low")
    return [*rows, last]


def _row(**given: Any) -> Row:
    return dict.fromkeys(COLUMNS) | given


def _mean(study: Study, values: NDArray[Any]) -> Row:
    """Mean over prompts with a percentile bootstrap interval; no interval for fewer than two."""
    import numpy as np
    from scipy.stats import bootstrap

    level = study.statistics.confidence
    if values.size < 2:
        return {"value": float(values[0]) if values.size else None, "confidence": level}
    interval = bootstrap(
        (values,),
        np.mean,
        confidence_level=level,
        n_resamples=study.statistics.bootstrap,
        method="percentile",
        rng=study.seed,
    ).confidence_interval
    return {
        "value": float(values.mean()),
        "low": float(interval.low),
        "high": float(interval.high),
        "confidence": level,
    }

"""User turns counted by prompt in groups: dataset, condition, temperature. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from userturn.artifacts.labels import Label
from userturn.artifacts.schemas import BASE, BEHIND
from userturn.study.report import ALL
from userturn.study.study import Study

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Groups = defaultdict["Group", pl.DataFrame]  # made by `by_prompt`

Group = tuple[str, str, float | None]
"""Dataset or ALL, condition, temperature; None of turns that people wrote."""

GREEDY = 0.0
"""The temperature of greedy decoding."""


def settings(study: Study) -> list[tuple[str, float]]:
    """Every (condition, temperature) of a study, `base` first, temperatures ascending."""
    base = [(BASE, temperature) for temperature in sorted(study.generate.user_turn.temperatures)]
    return base + [
        (condition, temperature)
        for condition in study.perturb.conditions
        for temperature in sorted(study.perturb.temperatures)
    ]


def crossed(study: Study) -> list[tuple[str, float]]:
    """Every (condition, temperature) of turns behind the answers of other sources."""
    return [
        (BEHIND + source, temperature)
        for source in study.generate.other_sources
        for temperature in sorted(study.generate.user_turn.temperatures)
    ]


def grid(study: Study) -> list[Group]:
    """Every group of a study: its datasets, then all of them pooled, each in every setting."""
    return [
        (dataset, condition, temperature)
        for dataset in (*study.prompts.datasets, ALL)
        for condition, temperature in settings(study)
    ]


def by_prompt(labelled: pl.DataFrame) -> Groups:
    """One row per prompt in each group; empty where none is.

    Columns: `dataset`, `item`, the counts `samples`, `valid`, `invalid`, `truncated`, `empty_turns`
    and `skipped`, and one count per label.

    Args:
        labelled: User turns with one judge's `label`.
    """
    import polars as pl

    generated = pl.col("skipped").is_null()
    valid = generated & pl.col("label").is_not_null()
    counts = {
        "samples": generated,
        "valid": valid,
        "invalid": generated & pl.col("label").is_null(),
        "truncated": pl.col("end") == "length",
        "empty_turns": pl.col("end") == "empty",
        "skipped": ~generated,
        **{label.value: valid & (pl.col("label") == label.value) for label in Label},
    }
    prompts = (
        labelled.group_by("dataset", "item", "condition", "temperature")
        .agg(flag.sum().cast(pl.Int64).alias(name) for name, flag in counts.items())
        .sort("dataset", "item")
        .with_columns(pool=pl.col("dataset"))
    )
    pooled = pl.concat([prompts, prompts.with_columns(pool=pl.lit(ALL))])
    parts = pooled.partition_by("pool", "condition", "temperature", as_dict=True)
    return defaultdict(prompts.clear, {_group(*key): frame for key, frame in parts.items()})


def shares(prompts: pl.DataFrame, *labels: Label) -> NDArray[np.float64]:
    """Share of some labels, taken together, among the valid turns of each prompt that has one."""
    import polars as pl

    counted = prompts.filter(pl.col("valid") > 0)
    share = pl.sum_horizontal(label.value for label in labels) / pl.col("valid")
    return counted.select(share.cast(pl.Float64)).to_series().to_numpy()


def clustered(prompts: pl.DataFrame) -> bool:
    """Whether a prompt has several valid turns."""
    return bool((prompts["valid"] > 1).any())


def _group(dataset: Any, condition: Any, temperature: Any) -> Group:
    return str(dataset), str(condition), None if temperature is None else float(temperature)

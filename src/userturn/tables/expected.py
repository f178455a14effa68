"""Table `expected`: how likely the real next turns are under each model that was asked.

`own` is the mean log-probability of a turn's tokens, in nats per token, behind its own conversation
and answer; `other` that of the same turn behind another prompt's answer of its dataset. Both are
means over prompts, and `difference`, own - other, is paired by prompt: what the model expects of
the user because of this answer.
"""

from __future__ import annotations

from userturn.artifacts.csv_file import Kind, Row, of
from userturn.stats.intervals import holm
from userturn.stats.paired import mean_interval, paired_means
from userturn.study.report import ALL
from userturn.tables._intervals import bounds, settings
from userturn.tables._results import ModelResults, Results
from userturn.tables._table import Table, bounded


def rows(results: Results) -> list[Row]:
    """One row per model and dataset; Holm corrects over all rows of the table."""
    made = [
        row_of(model, dataset)
        for model in results.models
        if model.expected is not None
        for dataset in (*results.study.prompts.human, ALL)
    ]
    for row, p in zip(made, holm([row["p"] for row in made]), strict=True):
        row["p_holm"] = p
    return made


def row_of(model: ModelResults, dataset: str) -> Row:
    """Expectations of one model on one dataset."""
    import polars as pl

    assert model.expected is not None
    how = settings(model.study)
    ours = model.expected
    if dataset != ALL:
        ours = ours.filter(pl.col("dataset") == dataset)
    scored = ours.filter(pl.col("skipped").is_null())
    own, other = (scored[name].to_numpy() for name in ("own", "other"))
    between = paired_means(other, own, *how)
    return {
        "model": model.slug,
        "dataset": dataset,
        **bounds(mean_interval(own, *how), "own", "own_low", "own_high"),
        **bounds(mean_interval(other, *how), "other", "other_low", "other_high"),
        **bounds(between.difference, "difference", "difference_low", "difference_high"),
        "confidence": model.study.statistics.confidence,
        "method": between.difference.method,
        "p": between.p,
        "p_holm": None,
        "test": between.test,
        "prompts": scored.height,
        "tokens": int(scored["tokens"].sum()),
        "skipped": ours.height - scored.height,
    }


TABLE = Table(
    {
        **of(Kind.NAME, "model dataset"),
        **bounded("own", "other", "difference"),
        "confidence": Kind.NUMBER,
        "method": Kind.NAME,
        **of(Kind.NUMBER, "p p_holm"),
        "test": Kind.NAME,
        **of(Kind.COUNT, "prompts tokens skipped"),
    },
    rows,
)

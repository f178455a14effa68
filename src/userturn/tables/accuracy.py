"""Table `accuracy`: task accuracy per dataset, over the answers that could be scored.

An answer that could not be scored is never wrong: it is counted in `not_scored` with why.
`prompts` are all prompts, so prompts = scored + not_scored + skipped.
"""

from __future__ import annotations

from userturn.artifacts.csv_file import Kind, Row, of
from userturn.stats.intervals import rate
from userturn.tables._intervals import bounds, settings
from userturn.tables._results import ModelResults, Results
from userturn.tables._table import Table, bounded


def rows(results: Results) -> list[Row]:
    """One row per model and dataset."""
    return [
        row_of(model, dataset)
        for model in results.models
        for dataset in results.study.prompts.datasets
    ]


def row_of(model: ModelResults, dataset: str) -> Row:
    """Accuracy of one model on one dataset."""
    import polars as pl

    study = model.study
    ours = model.answers.filter(pl.col("dataset") == dataset)
    given = ours.filter(pl.col("skipped").is_null())
    unscored = given.filter(pl.col("score").is_null())
    verifiers = ours["verifier"].drop_nulls().unique().sort().to_list()
    reasons = unscored.group_by("unscored").len().sort("unscored").rows()
    strict, loose = (
        rate(given[name].drop_nulls().to_numpy(), False, *settings(study))
        for name in ("score", "score_loose")
    )
    return {
        "model": model.slug,
        "dataset": dataset,
        "verifier": ", ".join(verifiers) or "none",
        **bounds(strict, "strict", "strict_low", "strict_high"),
        **bounds(loose, "loose", "loose_low", "loose_high"),
        "confidence": study.statistics.confidence,
        "method": strict.method,
        "prompts": ours.height,
        "scored": given.height - unscored.height,
        "not_scored": unscored.height,
        "reasons": "; ".join(f"{why or 'no reason given'} ({n})" for why, n in reasons)
        if verifiers
        else "no published verifier",
        "truncated": int((given["end"] == "length").sum()),
        "skipped": ours.height - given.height,
    }


TABLE = Table(
    {
        **of(Kind.NAME, "model dataset verifier"),
        **bounded("strict", "loose"),
        "confidence": Kind.NUMBER,
        "method": Kind.NAME,
        **of(Kind.COUNT, "prompts scored not_scored"),
        "reasons": Kind.TEXT,
        **of(Kind.COUNT, "truncated skipped"),
    },
    rows,
)

"""Table `examples`: up to ten turns per label of the primary judge, for who checks the labels.

The choice is by a seeded order of the turns' keys: random, yet the same whatever other turns there
are. Query and answer are excerpts on one line; the turn stands as generated.
"""

from __future__ import annotations

from userturn.artifacts.csv_file import Kind, Row, of
from userturn.artifacts.labels import Label
from userturn.artifacts.schemas import TURN_KEY
from userturn.base.seeds import rank
from userturn.tables._results import Judged, Results
from userturn.tables._table import MEASURES, Table

PER_LABEL = 10
EXCERPT = 240  # characters


def rows(results: Results) -> list[Row]:
    """Examples of every model, label by label."""
    return [row for judged in results.judged() if judged.primary for row in rows_of(judged)]


def rows_of(judged: Judged) -> list[Row]:
    """Examples of one model."""
    import polars as pl

    keys = judged.turns.select(TURN_KEY).rows()
    ranks = [rank(judged.study.seed, *key) for key in keys]
    chosen = (
        judged.turns.with_columns(rank=pl.Series(ranks, dtype=pl.Binary))
        .filter(pl.col("label").is_not_null() & pl.col("skipped").is_null())
        .sort("rank")
        .group_by("label", maintain_order=True)
        .head(PER_LABEL)
    )
    return [
        {
            "model": judged.model,
            "label": label.value,
            **{name: row[name] for name in (*TURN_KEY, *MEASURES, "reason")},
            "query": excerpt(row["query"]),
            "answer": excerpt(row["shown"]),
            "turn": row["text"],
        }
        for label in Label
        for row in chosen.filter(pl.col("label") == label.value).iter_rows(named=True)
    ]


def excerpt(text: str | None) -> str | None:
    """One line of at most EXCERPT characters, cut in the middle: turns react to how answers end."""
    if text is None:
        return None
    line = " ".join(text.split())
    half = EXCERPT // 2
    return line if len(line) <= EXCERPT else f"{line[:half]} […] {line[-half:]}"


TABLE = Table(
    {
        **of(Kind.NAME, "model label dataset"),
        "item": Kind.TEXT,
        "condition": Kind.NAME,
        "temperature": Kind.NUMBER,
        "sample": Kind.COUNT,
        **of(Kind.TEXT, "query answer turn"),
        **MEASURES,
        "reason": Kind.TEXT,
    },
    rows,
)

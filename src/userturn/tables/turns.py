"""Table `turns`: what user turns look like without a judge, per condition and temperature.

`eos`, `stop_token`, `length` and `empty` are shares of the generated turns. `memorised` is the
share of the turns with text whose text, case and spacing aside, also stands for another prompt.
"""

from __future__ import annotations

from userturn.artifacts.csv_file import Kind, Row, of
from userturn.tables._groups import settings
from userturn.tables._results import ModelResults, Results
from userturn.tables._table import MEASURES, Table

ENDS = ("eos", "stop_token", "length", "empty")


def rows(results: Results) -> list[Row]:
    """One row per model, condition and temperature."""
    return [row for model in results.models for row in rows_of(model)]


def rows_of(model: ModelResults) -> list[Row]:
    """Looks of one model's turns."""
    import polars as pl

    text = pl.col("text").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    generated = model.turns.filter(pl.col("skipped").is_null()).with_columns(normalised=text)
    made = []
    for condition, temperature in settings(model.study):
        here = (pl.col("condition") == condition) & (pl.col("temperature") == temperature)
        ours = generated.filter(here)
        spoken = ours.filter(pl.col("normalised") != "")
        texts = spoken.group_by("normalised").agg(
            prompts=pl.struct("dataset", "item").n_unique(), turns=pl.len()
        )
        repeated = texts.filter(pl.col("prompts") > 1)["turns"].sum()
        made.append(
            {
                "model": model.slug,
                "condition": condition,
                "temperature": temperature,
                "samples": ours.height,
                "skipped": model.turns.filter(here).height - ours.height,
                "mean_tokens": ours["length"].mean(),
                **{end: (ours["end"] == end).mean() for end in ENDS},
                "memorised": repeated / spoken.height if spoken.height else None,
                "distinct_texts": texts.height,
                **{name: ours[name].mean() for name in MEASURES},
            }
        )
    return made


TABLE = Table(
    {
        **of(Kind.NAME, "model condition"),
        "temperature": Kind.NUMBER,
        **of(Kind.COUNT, "samples skipped"),
        "mean_tokens": Kind.NUMBER,
        **of(Kind.NUMBER, " ".join(ENDS)),
        "memorised": Kind.NUMBER,
        "distinct_texts": Kind.COUNT,
        **MEASURES,
    },
    rows,
)

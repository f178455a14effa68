"""Table `convergence`: the strict rate of part of a study's turns. Has it settled?

`over = prompts` has the turns of the first prompts of each dataset, in the study's order, at every
temperature; `over = samples` has all prompts and the first samples of each, where a temperature has
several. `n` counts what the row has: prompts, or samples per prompt. Datasets are pooled, answers
unperturbed, labels the primary judge's. The last row of each is the rate of table `rates`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from userturn.artifacts.csv_file import Kind, Row, of
from userturn.artifacts.labels import Label
from userturn.artifacts.schemas import BASE, PROMPT_KEY
from userturn.stats.intervals import rate
from userturn.study.report import ALL
from userturn.tables._groups import by_prompt, clustered, shares
from userturn.tables._intervals import bounds, settings
from userturn.tables._results import Judged, Results
from userturn.tables._table import Table

if TYPE_CHECKING:
    import polars as pl

STEPS = 8
"""Rows of a curve, at the most."""


def rows(results: Results) -> list[Row]:
    """Curves of every model by the primary judge."""
    order = results.prompts.select(*PROMPT_KEY, "order")
    return [row for judged in results.judged() if judged.primary for row in rows_of(judged, order)]


def rows_of(judged: Judged, order: pl.DataFrame) -> list[Row]:
    """Curves of one model.

    Args:
        judged: Its turns with labels.
        order: Each prompt's place in its dataset's order.
    """
    import polars as pl

    study = judged.study
    ranked = order.select(
        *PROMPT_KEY, place=pl.col("order").rank("ordinal").over("dataset").cast(pl.Int64)
    )
    made = []
    for temperature in sorted(study.generate.user_turn.temperatures):
        for over, n, prompts in _parts(judged, temperature, ranked):
            counted = shares(prompts, Label.FOLLOWUP)
            interval = rate(counted, clustered(prompts), *settings(study))
            made.append(
                {
                    "model": judged.model,
                    "judge": judged.judge,
                    "temperature": temperature,
                    "over": over,
                    "n": counted.size if over == "prompts" else n,
                    **bounds(interval, "rate"),
                    "confidence": study.statistics.confidence,
                    "method": interval.method,
                    "prompts": counted.size,
                    "samples": int(prompts["samples"].sum()),
                }
            )
    return made


def steps(most: int) -> list[int]:
    """Where a curve of `most` has its points, evenly up to the last one.

    >>> steps(45)
    [6, 12, 17, 23, 29, 34, 40, 45]
    """
    return sorted({math.ceil(most * part / STEPS) for part in range(1, STEPS + 1)})


def _parts(
    judged: Judged, temperature: float, ranked: pl.DataFrame
) -> Iterator[tuple[str, int, pl.DataFrame]]:
    """Counts by prompt of growing parts: of prompts of each dataset, then of samples."""
    import polars as pl

    group = ALL, BASE, temperature
    whole = judged.groups[group].join(ranked, on=PROMPT_KEY, how="left", maintain_order="left")
    for count in steps(ranked["place"].to_numpy().max(initial=0)) if len(whole) else ():
        yield "prompts", count, whole.filter(pl.col("place") <= count)
    here = (pl.col("condition") == BASE) & (pl.col("temperature") == temperature)
    turns = judged.turns.filter(here)
    several = turns["sample"].n_unique()
    for count in steps(several) if several > 1 else ():
        yield "samples", count, by_prompt(turns.filter(pl.col("sample") < count))[group]


TABLE = Table(
    {
        **of(Kind.NAME, "model judge"),
        "temperature": Kind.NUMBER,
        "over": Kind.NAME,
        "n": Kind.COUNT,
        **of(Kind.NUMBER, "rate low high confidence"),
        "method": Kind.NAME,
        **of(Kind.COUNT, "prompts samples"),
    },
    rows,
)

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

    ranked = order.with_columns(place=pl.col("order").rank("ordinal").over("dataset"))
    base = (
        judged.turns.filter(condition=BASE)
        .select(*PROMPT_KEY, "condition", "temperature", "sample", "label", "end", "skipped")
        .join(ranked, on=PROMPT_KEY, how="left")
    )
    made = []
    for (temperature,), turns in base.partition_by(
        "temperature", as_dict=True, maintain_order=True
    ).items():
        curve = {"model": judged.model, "judge": judged.judge, "temperature": temperature}
        for over, n, part in _parts(turns):
            prompts = by_prompt(part)[ALL, BASE, float(temperature)]
            counted = shares(prompts, Label.FOLLOWUP)
            study = judged.study
            interval = rate(counted, clustered(prompts), *settings(study))
            made.append(
                {
                    **curve,
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


def _parts(turns: pl.DataFrame) -> Iterator[tuple[str, int, pl.DataFrame]]:
    """Growing parts of turns at one temperature: by prompts of each dataset, then by samples."""
    import polars as pl

    for count in steps(int(turns["place"].max() or 0)):  # type: ignore[arg-type]
        yield "prompts", count, turns.filter(pl.col("place") <= count)
    several = turns["sample"].n_unique()
    for count in steps(several) if several > 1 else ():
        yield "samples", count, turns.filter(pl.col("sample") < count)


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

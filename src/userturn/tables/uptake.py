"""Table `uptake`: how much the answer adds to user turns, as quantiles over turns.

A row per model, condition and temperature, of all datasets; turns under `swap` have a second one,
`against = own`, measured against their prompt's own answer, which they never saw. Where the study's
reference sets hold real next turns, a row without a model is of those: what people write, measured
by the same scorer. Uptake is in nats per token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from userturn.artifacts import files
from userturn.artifacts.csv_file import Kind, Row, of
from userturn.artifacts.schemas import OWN, SHOWN
from userturn.base import paths
from userturn.judges.calibration.reference import PEOPLE
from userturn.tables._groups import settings
from userturn.tables._results import ModelResults, Results
from userturn.tables._table import Table

if TYPE_CHECKING:
    import polars as pl

QUANTILES = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}
REAL = "real"
"""The condition of turns that people wrote, behind the answers that they read."""


def rows(results: Results) -> list[Row]:
    """One row per model and setting, then that of people where there are reference turns."""
    made = [row for model in results.models for row in rows_of(model)]
    people = _people()
    return [*made, *([] if people is None else [people])]


def rows_of(model: ModelResults) -> list[Row]:
    """Uptake of one model's turns."""
    import polars as pl

    made = []
    for against, turns in ((SHOWN, model.turns), (OWN, model.unseen)):
        for condition, temperature in settings(model.study):
            here = (pl.col("condition") == condition) & (pl.col("temperature") == temperature)
            ours = turns.filter(here)["uptake"].drop_nulls()
            if against == SHOWN or ours.len():
                place = {"model": model.slug, "condition": condition, "temperature": temperature}
                made.append({**place, "against": against, **spread(ours)})
    return made


def spread(values: pl.Series) -> Row:
    """Count, mean and quantiles of values; all but the count None where there are none."""
    return {
        "turns": values.len(),
        "mean": values.mean(),
        **{name: values.quantile(at, "linear") for name, at in QUANTILES.items()},
    }


def _people() -> Row | None:
    """Real next turns among the reference turns; None where there are none."""
    import polars as pl

    path = paths.CALIBRATION / "turns.parquet"
    if not path.exists():
        return None
    turns = files.read(path, "reference").filter(pl.col("kind").is_in(PEOPLE))
    uptake = turns["uptake"].drop_nulls()
    if uptake.is_empty():
        return None
    place = {"model": "", "condition": REAL, "temperature": None, "against": SHOWN}
    return {**place, **spread(uptake)}


TABLE = Table(
    {
        **of(Kind.NAME, "model condition"),
        "temperature": Kind.NUMBER,
        "against": Kind.NAME,
        "turns": Kind.COUNT,
        **of(Kind.NUMBER, "mean " + " ".join(QUANTILES)),
    },
    rows,
)

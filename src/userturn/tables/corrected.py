"""Table `corrected`: rates of unperturbed turns, corrected by human labels; empty without any.

The corrected rates (stats/corrected.py) are those of all generated turns: one without a valid label
of the judge counts as one that the judge does not call a follow-up. Sensitivity and specificity are
the model's, over all datasets and temperatures; `labelled` counts the group's own turns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from userturn.artifacts.csv_file import Kind, Row, of
from userturn.artifacts.labels import Label
from userturn.artifacts.schemas import BASE, TURN_KEY
from userturn.judges.human import labels as human
from userturn.judges.human import sample
from userturn.judges.human.labels import TurnId
from userturn.judges.human.sample import Truth
from userturn.stats import corrected
from userturn.study.report import ALL
from userturn.tables._results import Judged, Results
from userturn.tables._table import GROUP, Table

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, eq=False)
class Known:
    """What a judge and people say of a model's generated turns of `base`.

    Attributes:
        base: The turns.
        turns: The same as arrays.
        truth: What people say of each.
    """

    base: pl.DataFrame
    turns: corrected.Turns
    truth: list[Truth]


def rows(results: Results) -> list[Row]:
    """One row per judge, model, dataset and temperature of the models that people labelled."""
    people = human.read_all()
    made = []
    for model in results.models:
        truth = sample.truth(results.study, model.slug, people)
        for judged in model.judged if truth else ():
            known = known_of(judged, truth)
            made += [row_of(known, rate) for rate in _rates(results, judged)]
    return made


def known_of(judged: Judged, truth: Mapping[TurnId, Truth]) -> Known:
    """Labels of a judge and of people on the same turns."""
    import numpy as np
    import polars as pl

    base = judged.turns.filter(pl.col("skipped").is_null() & (pl.col("condition") == BASE))
    said = [
        truth.get((judged.model, *key), sample.UNLABELLED) for key in base.select(TURN_KEY).rows()
    ]
    turns = corrected.Turns(
        base.select(pl.struct("dataset", "item").rank("dense") - 1).to_series().to_numpy(),
        (base["label"] == Label.FOLLOWUP.value).fill_null(False).to_numpy().astype(float),
        np.array([one.followup for one in said], dtype=float),
        np.array([one.weight for one in said], dtype=float),
    )
    return Known(base, turns, said)


def row_of(known: Known, rate: Row) -> Row:
    """A row of table `rates` with its corrections."""
    import numpy as np
    import polars as pl

    here = pl.col("temperature") == rate["temperature"]
    if rate["dataset"] != ALL:
        here &= pl.col("dataset") == rate["dataset"]
    group = known.base.select(here).to_series().to_numpy()
    own = known.turns.part(group)
    sensitivity, specificity = corrected.error_rates(known.turns)
    row = {name: rate[name] for name in (*GROUP, "rate", "low", "high", "confidence")}
    for name, estimate in METHODS.items():
        result = estimate(known.turns, group, rate["confidence"])
        row |= {
            name: result.estimate,
            f"{name}_low": result.low,
            f"{name}_high": result.high,
            f"{name}_note": result.note or None,
        }
    return {
        **row,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "annotators": int(np.array([one.annotators for one in known.truth])[group].max()),
        "labelled": int((own.weight > 0).sum()),
        "labelled_prompts": own.labelled_prompts,
    }


def _rates(results: Results, judged: Judged) -> list[Row]:
    """Rates of the judge on the model's unperturbed turns, where there are any."""
    identity = judged.judge, judged.model, BASE
    return [
        row
        for row in results.table("rates")
        if (row["judge"], row["model"], row["condition"]) == identity and row["rate"] is not None
    ]


METHODS = {
    "rogan_gladen": corrected.rogan_gladen,
    "prediction_powered": corrected.prediction_powered,
}

TABLE = Table(
    {
        **GROUP,
        **of(Kind.NUMBER, "rate low high confidence"),
        **of(Kind.NUMBER, "rogan_gladen rogan_gladen_low rogan_gladen_high"),
        "rogan_gladen_note": Kind.NAME,
        **of(Kind.NUMBER, "prediction_powered prediction_powered_low prediction_powered_high"),
        "prediction_powered_note": Kind.NAME,
        **of(Kind.NUMBER, "sensitivity specificity"),
        **of(Kind.COUNT, "annotators labelled labelled_prompts"),
    },
    rows,
)

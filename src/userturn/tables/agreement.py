"""Table `agreement`: how far judges and people agree on the same turns, pair by pair.

Over all labels, turns of all models and conditions that both labelled, intervals by prompt
(stats/agreement.py); `userturn agreement` has it by label. People label a sample in which rare
labels are over-represented, so agreement with people is that on the sample. Empty where the study
has one judge and nobody labelled anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING

from userturn.artifacts.csv_file import Kind, Row, of
from userturn.artifacts.labels import Label
from userturn.artifacts.schemas import TURN_KEY
from userturn.judges.human import labels as human
from userturn.stats.agreement import measure
from userturn.study.study import Study
from userturn.tables._intervals import settings
from userturn.tables._results import Results
from userturn.tables._table import Table, bounded

if TYPE_CHECKING:
    import polars as pl

KEY = ("model", *TURN_KEY)
CODES = {label.value: code for code, label in enumerate(Label)}


def rows(results: Results) -> list[Row]:
    """One row per pair of raters that have turns in common, judges first."""
    raters = {**_judges(results), **_people(results.study)}
    made = (
        row_of(results.study, (one, raters[one]), (other, raters[other]))
        for one, other in combinations(raters, 2)
    )
    return [row for row in made if row is not None]


def row_of(
    study: Study, first: tuple[str, pl.DataFrame], second: tuple[str, pl.DataFrame]
) -> Row | None:
    """Agreement of two raters; None where they have no turn in common.

    Args:
        study: The study.
        first: A rater's name and labels: columns KEY and `code`.
        second: Another's.
    """
    import polars as pl

    both = first[1].join(second[1], on=KEY, how="inner", suffix="_other")
    if both.is_empty():
        return None
    prompt = pl.struct("dataset", "item").rank("dense").cast(pl.Int64) - 1
    codes = both.select("code", "code_other").to_numpy().T
    places = both.select(prompt.alias("place"))["place"].to_numpy()
    measured = measure(codes, places, *settings(study))
    nothing = (None, None, None)
    named = {
        name: dict(zip((name, f"{name}_low", f"{name}_high"), value or nothing, strict=True))
        for name, value in (("kappa", measured.kappa), ("alpha", measured.alpha))
    }
    return {
        "first": first[0],
        "second": second[0],
        "turns": both.height,
        "prompts": int(places.max()) + 1,
        "agreement": measured.agreement,
        **named["kappa"],
        **named["alpha"],
        "confidence": study.statistics.confidence,
    }


def _judges(results: Results) -> dict[str, pl.DataFrame]:
    """Valid labels of every judge."""
    import polars as pl

    frames: dict[str, list[pl.DataFrame]] = {}
    several = len(results.study.classify.judges) > 1 or any(human.FOLDER.glob("*.jsonl"))
    for judged in results.judged() if several else ():
        valid = judged.turns.filter(pl.col("label").is_not_null())
        code = pl.col("label").replace_strict(CODES, return_dtype=pl.Int64).alias("code")
        frames.setdefault(judged.judge, []).append(
            valid.select(pl.lit(judged.model).alias("model"), *TURN_KEY, code)
        )
    return {judge: pl.concat(parts) for judge, parts in frames.items()}


def _people(study: Study) -> dict[str, pl.DataFrame]:
    """Labels of every person on the texts as they are now."""
    given = human.read_all()
    if not given:
        return {}
    current = {text for slug in study.models.probe for text in human.shown(study, slug)}
    return {
        f"{name} (human)": _frame({text: one for text, one in labels.items() if text in current})
        for name, labels in given.items()
    }


def _frame(labels: Mapping[human.Text, Label]) -> pl.DataFrame:
    import polars as pl

    types = [pl.String] * 4 + [pl.Float64, pl.Int64, pl.Int64]
    return pl.DataFrame(
        [(*text.turn_id, CODES[label.value]) for text, label in labels.items()],
        schema=dict(zip((*KEY, "code"), types, strict=True)),
        orient="row",
    )


TABLE = Table(
    {
        **of(Kind.NAME, "first second"),
        **of(Kind.COUNT, "turns prompts"),
        "agreement": Kind.NUMBER,
        **bounded("kappa", "alpha"),
        "confidence": Kind.NUMBER,
    },
    rows,
)

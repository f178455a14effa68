"""A model's turns, one row each: texts, measures, and all that judges and people say of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from userturn.artifacts.schemas import OWN, SHOWN, TURN_KEY, columns
from userturn.artifacts.turns import labels_of, measured
from userturn.base import registry
from userturn.judges.human import labels as human
from userturn.study.study import Study

if TYPE_CHECKING:
    import polars as pl

TEXTS = ("query", "shown", "own", "text")
FACTS = ("end", "stripped", "skipped", "context_tokens", "request_id")
SAID = {
    "judge": "string",  # slug of a judge, or name of a person
    "person": "bool",
    "against": "string",
    **{
        name: columns("labels")[name]
        for name in (
            "label", "probability", "invalid", "reason", "evidence_turn", "evidence_answer",
        )
    },
}  # fmt: skip
"""Fields of one label, with their types."""


def measures() -> dict[str, str]:
    """Columns that measures of a turn fill, with their types."""
    return {
        name: measure.type
        for name, measure in registry.declared("measures.kinds", "MEASURE").items()
    }


def table(study: Study, slug: str) -> pl.DataFrame:
    """Every turn of one model.

    Returns:
        TURN_KEY, `earlier` (messages before the query), TEXTS, FACTS, `measures` against the shown
        answer, and `labels`: a list of SAID per turn, judges in the study's order, people behind
        them. Rows as in `turns.frame`.

    Raises:
        ArtifactError: An artifact is missing, corrupt, or from another study.
    """
    import polars as pl

    said = pl.concat(
        [
            *(_judges(study, slug, against) for against in (SHOWN, OWN)),
            _people(study, slug),
        ],
        how="diagonal_relaxed",
    )
    gathered = said.group_by(TURN_KEY, maintain_order=True).agg(
        labels=pl.struct(pl.col(name) for name in SAID)
    )
    turns = measured(study, slug).select(*TURN_KEY, "earlier", *TEXTS, *FACTS, *measures())
    return turns.join(gathered, on=TURN_KEY, how="left", maintain_order="left").with_columns(
        pl.col("labels").fill_null([])
    )


def _judges(study: Study, slug: str, against: str) -> pl.DataFrame:
    import polars as pl

    order = {judge: place for place, judge in enumerate(study.classify.judges)}
    place = pl.col("judge").replace_strict(order, default=len(order))
    return labels_of(slug, against).sort(place, maintain_order=True).with_columns(
        person=pl.lit(False), against=pl.lit(against)
    )  # fmt: skip


def _people(study: Study, slug: str) -> pl.DataFrame:
    """Labels in force of people, on turns as they stand now."""
    import polars as pl

    people = human.read_all()
    now = human.shown(study, slug) if people else {}
    rows = [
        {
            **{name: now[text][name] for name in TURN_KEY},
            "judge": name,
            "person": True,
            "against": SHOWN,
            "label": label.value,
        }
        for name, labels in people.items()
        for text, label in labels.items()
        if text in now
    ]
    types = {
        "dataset": pl.String, "item": pl.String, "condition": pl.String, "temperature": pl.Float64,
        "sample": pl.Int64, "judge": pl.String, "person": pl.Boolean, "against": pl.String,
        "label": pl.String,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=types)

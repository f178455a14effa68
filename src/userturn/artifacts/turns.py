"""The one reader of user turns: every condition of a model, with query and answers.

`frame` has them as a table, `read_turns` its rows one by one. `compared` has a row for every
answer that a turn is measured and judged against, `measured` puts the measures beside them, where
stage `ground` has run, and `labels_of` has what judges say, where stage `classify` has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from userturn.artifacts import files, schemas
from userturn.artifacts.schemas import BASE, OWN, PROMPT_KEY, SHOWN, SWAP, TURN_KEY
from userturn.base import paths
from userturn.base.errors import ArtifactError
from userturn.study.study import Study

if TYPE_CHECKING:
    import polars as pl


def read_turns(study: Study, slug: str) -> list[dict[str, Any]]:
    """User turns of every condition of one model, as rows of `frame`. Raises as `frame`."""
    return frame(study, slug).to_dicts()


def compared(study: Study, slug: str) -> list[dict[str, Any]]:
    """User turns of one model by the answer that they are measured and judged against.

    Returns:
        Rows of `frame` with `against`, and `answer`, the text of that answer: one row `shown` of
        every turn, and behind those of SWAP one `own`. Raises as `frame`.
    """
    return [
        {**turn, "against": against, "answer": turn[against]}
        for turn in read_turns(study, slug)
        for against in answers_of(turn["condition"])
    ]


def real_turns(prompts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What people said in the place of a model's turns, as rows of `compared`.

    Real next turns are unperturbed and have no temperature, seed or tokens of their own; nobody cut
    them. Each is measured and judged against the answer that it follows, the dataset's.

    Args:
        prompts: Rows of kind `prompts`; those without a next turn have none here.
    """
    return [
        {
            **dict.fromkeys(schemas.columns("user_turns")),
            **{name: row[name] for name in (*PROMPT_KEY, "earlier")},
            "condition": BASE,
            "sample": 0,
            "text": row["next_turn"],
            "end": "stop_token" if row["next_turn"].strip() else "empty",
            "stripped": False,
            "query": row["text"],
            "against": SHOWN,
            "answer": row["reference_answer"],
        }
        for row in prompts
        if row["next_turn"] is not None and row["reference_answer"] is not None
    ]


def answers_of(condition: str) -> tuple[str, ...]:
    """Which answers turns of a condition are measured and judged against.

    >>> answers_of("base"), answers_of("swap")
    (('shown',), ('shown', 'own'))
    """
    return (SHOWN, OWN) if condition == SWAP else (SHOWN,)


def measured(
    study: Study,
    slug: str,
    against: str = SHOWN,
    items: Collection[str] | None = None,
    *,
    tokens: bool = True,
) -> pl.DataFrame:
    """`frame` with the measures of kind `grounding`; null where a turn was not measured.

    Args:
        study: The study.
        slug: Slug of the model.
        against: SHOWN; or OWN, which leaves the turns of SWAP.
        items: Only turns of these items of their datasets, by default all.
        tokens: With what each token spells and its log-probabilities, most of what the file holds.

    Raises:
        ArtifactError: An artifact is missing, corrupt, or from another study.
    """
    import polars as pl

    types = schemas.columns("grounding")
    only = [name for name, kind in types.items() if tokens or not kind.startswith("list")]
    grounding = files.read(paths.artifact("grounding", slug), "grounding", only, items)
    ours = grounding.filter(pl.col("against") == against)
    turns = frame(study, slug, items)
    if against == OWN:
        turns = turns.filter(pl.col("condition") == SWAP)
    return turns.join(ours, on=TURN_KEY, how="left", maintain_order="left")


def labels_of(
    slug: str, against: str = SHOWN, items: Collection[str] | None = None
) -> pl.DataFrame:
    """Rows of kind `labels` of one model by every judge, against SHOWN or OWN.

    Without the column `against`, so that a turn's key is TURN_KEY again. Only turns of `items` of
    their datasets, by default all.

    Raises:
        ArtifactError: The labels are missing or corrupt.
    """
    import polars as pl

    every = files.read(paths.artifact("labels", slug), "labels", items=items)
    return every.filter(pl.col("against") == against).drop("against")


def frame(study: Study, slug: str, items: Collection[str] | None = None) -> pl.DataFrame:
    """User turns of every condition of one model; of some items of their datasets, or all.

    Returns:
        The columns of kind `user_turns`, then `earlier` and `query` (the prompt: its last user
        turn, and the messages in front of that), `own` (the answer to it under the turn's
        condition; under `swap` the unperturbed one) and `shown` (the answer that the context
        showed). Unperturbed turns come first, then the controls, then those behind the answers of
        other sources, each in the order of their key.

    Raises:
        ArtifactError: An artifact is missing, corrupt, or from another study.
    """
    import polars as pl

    prompts = [
        files.read(paths.artifact("prompts", dataset), "prompts", items=items)
        for dataset in study.prompts.datasets
    ]
    answers = files.read(paths.artifact("answers", slug), "answers", items=items)
    context = (
        pl.concat(prompts)
        .select(*PROMPT_KEY, "earlier", query="text")
        .join(answers.select(*PROMPT_KEY, answered="text"), on=PROMPT_KEY, how="inner")
    )
    base = _within(context, slug, "user_turns", items).with_columns(shown="answered")
    kinds = ["controls", *(["cross"] if slug in study.models.cross else [])]
    others = [_within(context, slug, kind, items).rename({"answer": "shown"}) for kind in kinds]
    swapped = pl.col("condition") == SWAP
    own = pl.when(swapped).then("answered").otherwise("shown")
    turns = pl.concat([base, *others], how="diagonal").with_columns(own=own)
    return turns.select(*schemas.columns("user_turns"), "earlier", "query", "own", "shown")


def _within(
    context: pl.DataFrame, slug: str, kind: str, items: Collection[str] | None
) -> pl.DataFrame:
    """Turns of one kind with their prompt's query and answer."""
    path = paths.artifact(kind, slug)
    turns = files.read(path, kind, items=items)
    strays = turns.join(context, on=PROMPT_KEY, how="anti", maintain_order="left")
    if not strays.is_empty():
        dataset, item = strays.select(PROMPT_KEY).row(0)
        raise ArtifactError(
            f"{path}: holds a turn of {dataset}, item {item}, which the study's prompts "
            "or answers lack; it is from another study: run `dvc repro`"
        )
    return turns.join(context, on=PROMPT_KEY, how="left", maintain_order="left")

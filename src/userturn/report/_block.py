"""Turns for the page as one JSON value: texts once, what repeats as places in lists.

| key | what it is |
| --- | --- |
| `hidden` | pattern of the characters that are spelled out |
| `labels`, `judges`, `models` | names, by place |
| `datasets`, `conditions`, `temperatures` | what filters offer |
| `contexts` | by model: what its template puts around query and answer, or null |
| `served` | whether `turns` are only those that were asked for, see annotate/browse.py |
| `prompts` | dataset, item, query, and by turns role and text of what was said before it |
| `answers` | texts |
| `turns` | see `_row` |
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from userturn.artifacts.labels import Label
from userturn.artifacts.schemas import TURN_KEY
from userturn.artifacts.turns import labels_of, measured
from userturn.report._context import around
from userturn.report._text import HIDDEN
from userturn.tables._groups import settings

if TYPE_CHECKING:
    import polars as pl

    from userturn.report._part import Source
    from userturn.study.study import Study

LABELS = [label.value for label in Label]
TENTHS = 10
"""Gains of words are whole tenths of a nat."""


class Places:
    """Things in the order in which they were first asked for, each once."""

    def __init__(self, things: Sequence[Hashable] = ()) -> None:
        self._places: dict[Hashable, int] = {thing: place for place, thing in enumerate(things)}

    def of(self, thing: Hashable) -> int:
        """Place of a thing."""
        return self._places.setdefault(thing, len(self._places))

    def all(self) -> list[Any]:
        """The things, by place."""
        return list(self._places)


def block(source: Source) -> dict[str, Any]:
    """The sample of a study.

    Raises:
        ArtifactError: An artifact is missing, corrupt, or from another study.
    """
    return {**head(source), "served": False, **packed(source.study, source.sample.keys)}


def head(source: Source) -> dict[str, Any]:
    """All of a block but the turns."""
    study = source.study
    judges = list(study.classify.judges)
    return {
        "hidden": HIDDEN.pattern,
        "labels": LABELS,
        "judges": judges,
        "primary": judges.index(study.classify.primary),
        "models": [[model.slug, model.name] for model in source.models],
        "datasets": list(study.prompts.datasets),
        "conditions": list(dict.fromkeys(condition for condition, _ in settings(study))),
        "temperatures": sorted({temperature for _, temperature in settings(study)}),
        "contexts": {model.slug: around(model.slug) for model in source.models},
    }


def packed(study: Study, keys: pl.DataFrame) -> dict[str, Any]:
    """Prompts, answers and turns of a block.

    Args:
        study: The study.
        keys: Models and keys of the turns, in the order in which they are to stand.

    Raises:
        ArtifactError: An artifact is missing, corrupt, or from another study.
    """
    rows: dict[tuple[Any, ...], list[Any]] = {}
    prompts, answers = Places(), Places()
    for (slug,), ours in keys.partition_by("model", as_dict=True, maintain_order=True).items():
        items = ours["item"].unique().to_list()
        chosen = ours.drop("model")
        turns = _chosen(measured(study, str(slug), items=items), chosen)
        judged: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in _chosen(labels_of(str(slug), items=items), chosen).iter_rows(named=True):
            judged.setdefault(_key(row), {})[row["judge"]] = row
        for turn in turns.iter_rows(named=True):
            said = [_judgement(judged[_key(turn)].get(one)) for one in study.classify.judges]
            before = (text for one in turn["earlier"] or () for text in one.values())
            prompt = prompts.of((turn["dataset"], turn["item"], turn["query"], *before))
            place = (prompt, answers.of(turn["shown"] or ""))
            rows[slug, *_key(turn)] = _row(str(slug), turn, place, said)
    return {
        "turns": [rows[key] for key in keys.select("model", *TURN_KEY).iter_rows()],
        "prompts": prompts.all(),
        "answers": answers.all(),
    }


def words(turn: Mapping[str, Any]) -> list[int] | None:
    """What the answer adds to each word of a turn: by how much more likely it makes it.

    Returns:
        By turns the length of a word, in UTF-16 units, and the sum over its tokens of their
        log-probability behind the answer less that behind the neutral one, in tenths of a nat.
        A space belongs to the word behind it. None where the turn was not scored.
    """
    pieces, behind, neutral = (turn[key] for key in ("token_texts", "log_p", "log_p_neutral"))
    if pieces is None or behind is None or neutral is None or "".join(pieces) != turn["text"]:
        return None
    gains = [one - other for one, other in zip(behind, neutral, strict=True)]
    starts = [
        place
        for place, piece in enumerate(pieces)
        if place == 0 or piece[:1].isspace() or pieces[place - 1][-1:].isspace()
    ]
    flat: list[int] = []
    for start, end in pairwise([*starts, len(pieces)]):
        text = "".join(pieces[start:end])
        flat += [len(text.encode("utf-16-le")) // 2, round(TENTHS * sum(gains[start:end]))]
    return flat


def _row(
    slug: str, turn: Mapping[str, Any], place: tuple[int, int], judged: list[list[Any] | None]
) -> list[Any]:
    """A turn as a list: see what the page's script takes it apart into.

    Args:
        slug: Slug of the model that wrote it.
        turn: Its row.
        place: Places of its prompt and of its answer.
        judged: What each judge says of it.
    """
    return [
        slug,
        place[0],
        turn["condition"],
        turn["temperature"],
        turn["sample"],
        place[1],
        turn["text"] or "",
        turn["end"],
        _rounded(turn["uptake"]),
        words(turn),
        judged,
    ]


def _chosen(frame: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    return frame.join(keys, on=TURN_KEY, how="semi", maintain_order="left")


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in TURN_KEY)


def _judgement(row: Mapping[str, Any] | None) -> list[Any] | None:
    """Label, probability and reason; None where a judge has no row of the turn."""
    if row is None:
        return None
    label = -1 if row["label"] is None else LABELS.index(row["label"])
    reason = row["invalid"] if row["label"] is None else row["reason"]
    quotes = [row["evidence_turn"], row["evidence_answer"]]
    return [label, _rounded(row["probability"]), reason or "", *filter(None, quotes)]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3) + 0.0

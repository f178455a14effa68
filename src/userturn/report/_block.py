"""The turns of the page as one JSON value: texts once, what repeats as places in lists.

| key | what it is |
| --- | --- |
| `hidden` | pattern of the characters that are spelled out |
| `labels`, `judges`, `models`, `datasets`, `conditions` | names, by place |
| `prompts` | dataset, item, query, and by turns role and text of what was said before it |
| `answers` | texts |
| `turns` | see `turn_row` |
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from userturn.artifacts.labels import Label
from userturn.artifacts.schemas import TURN_KEY
from userturn.artifacts.turns import labels_of, measured
from userturn.report._text import HIDDEN

if TYPE_CHECKING:
    import polars as pl

    from userturn.report._part import Source

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
    judges = list(source.study.classify.judges)
    datasets, conditions = Places(), Places()
    prompts, answers = Places(), Places()
    rows = []
    for place, model in enumerate(source.models):
        for turn, judged in _turns(source, model.slug):
            said = (text for one in turn["earlier"] or () for text in (one["role"], one["content"]))
            prompt = (datasets.of(turn["dataset"]), turn["item"], turn["query"], *said)
            rows.append(
                [
                    place,
                    prompts.of(prompt),
                    conditions.of(turn["condition"]),
                    turn["temperature"],
                    turn["sample"],
                    answers.of(turn["shown"] or ""),
                    turn["text"] or "",
                    turn["end"],
                    _rounded(turn["uptake"]),
                    words(turn),
                    [_judgement(judged.get(judge)) for judge in judges],
                ]
            )
    return {
        "hidden": HIDDEN.pattern,
        "labels": LABELS,
        "judges": judges,
        "primary": judges.index(source.study.classify.primary),
        "models": [[model.slug, model.name] for model in source.models],
        "datasets": datasets.all(),
        "conditions": conditions.all(),
        "prompts": prompts.all(),
        "answers": answers.all(),
        "turns": rows,
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


def _turns(source: Source, slug: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Sampled turns of a model in their order, each with its rows of labels by judge."""
    keys = source.sample.of(slug)
    turns = _chosen(measured(source.study, slug), keys)
    judged: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in _chosen(labels_of(slug), keys).iter_rows(named=True):
        judged.setdefault(_key(row), {})[row["judge"]] = row
    for turn in turns.iter_rows(named=True):
        yield turn, judged[_key(turn)]


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

"""Two runs of one thing compared: rows token by token, rates side by side. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from userturn.artifacts.labels import Label
from userturn.artifacts.schemas import PROMPT_KEY, TURN_KEY

Row = Mapping[str, Any]
Key = tuple[Any, ...]
OPEN = "left open"
"""Stands for turns that have no label."""


@dataclass(frozen=True, slots=True)
class Same:
    """How many of two runs' rows are the same.

    Attributes:
        kind: What was generated.
        rows: Rows that both runs have.
        identical: Those with the same tokens and the same end.
        first_difference: Of each other row the place of the first token that differs, sorted.
        median_difference: Their median; None where all rows are the same.
    """

    kind: str
    rows: int
    identical: int
    first_difference: tuple[int, ...]
    median_difference: float | None


@dataclass(frozen=True, slots=True)
class Shift:
    """One rate in both runs.

    Attributes:
        by: What tells it: the rules, a measure of the text, or the likelihood judge.
        rate: Label or measure.
        temperature: Of the user turns.
        first: Its value in the first run.
        second: Its value in the second.
        shift: Second less first.
    """

    by: str
    rate: str
    temperature: float
    first: float
    second: float
    shift: float


@dataclass(frozen=True, slots=True)
class Run:
    """Rows of kinds `answers` and `user_turns` of one run; turns with their query and answer."""

    answers: tuple[Row, ...]
    turns: tuple[Row, ...]


def other_batch(usual: int, prompts: int) -> int:
    """Another number of sequences in a batch, so that other rows share it.

    >>> other_batch(64, 9), other_batch(1, 9)
    (3, 2)

    Args:
        usual: The study's number.
        prompts: Prompts to answer: a batch never holds more answers.
    """
    filled = max(1, min(usual, prompts))
    return max(1, filled // 3) if filled > 1 else usual + 1


def compare(first: Run, second: Run) -> Iterator[Same]:
    """Answers, user turns, and the user turns behind the same answers."""
    answers = _by_key(first.answers, PROMPT_KEY), _by_key(second.answers, PROMPT_KEY)
    turns = _by_key(first.turns, TURN_KEY), _by_key(second.turns, TURN_KEY)
    yield same("answers", *answers)
    yield same("user turns", *turns)
    kept = {place for place, row in answers[0].items() if row["text"] == answers[1][place]["text"]}
    behind = ({key: row for key, row in rows.items() if key[:2] in kept} for rows in turns)
    yield same("user turns behind the same answers", *behind)


def _by_key(rows: Iterable[Row], names: Sequence[str]) -> dict[Key, Row]:
    return {tuple(row[name] for name in names): row for row in rows}


def same(kind: str, first: Mapping[Key, Row], second: Mapping[Key, Row]) -> Same:
    """Rows of two runs compared, by key; rows for which nothing was generated are left out."""
    pairs = [
        (row, second[key])
        for key, row in first.items()
        if row["request_id"] is not None and second[key]["request_id"] is not None
    ]
    places = [place for one, other in pairs if (place := first_difference(one, other)) is not None]
    return Same(
        kind=kind,
        rows=len(pairs),
        identical=len(pairs) - len(places),
        first_difference=tuple(sorted(places)),
        median_difference=median(places) if places else None,
    )


def first_difference(one: Row, other: Row) -> int | None:
    """Place of the first token that differs, or at which only one row ends; None: the same."""
    left, right = one["token_ids"], other["token_ids"]
    shared = min(len(left), len(right))
    for place in range(shared):
        if left[place] != right[place]:
            return place
    if len(left) == len(right) and one["end"] == other["end"]:
        return None
    return shared


def share_shifts(by: str, first: Mapping[Key, str], second: Mapping[Key, str]) -> Iterator[Shift]:
    """Share of every label that a run has any of, side by side.

    Args:
        by: What labels.
        first: Labels of the turns of the first run by (temperature, ...).
        second: The same of the second.
    """
    for temperature, labels in _by_temperature(first, second):
        for label in (*map(str, Label), OPEN):
            shares = [values.count(label) / len(values) for values in labels]
            if any(shares):
                yield _shift(by, label, temperature, shares)


def mean_shifts(
    by: str, rate: str, first: Mapping[Key, float], second: Mapping[Key, float]
) -> Iterator[Shift]:
    """Mean of a number, side by side; arguments as of `share_shifts`."""
    for temperature, numbers in _by_temperature(first, second):
        yield _shift(by, rate, temperature, [fmean(one) for one in numbers])


def _shift(by: str, rate: str, temperature: float, values: Sequence[float]) -> Shift:
    first, second = values
    return Shift(by, rate, temperature, first, second, second - first)


def _by_temperature(
    first: Mapping[Key, Any], second: Mapping[Key, Any]
) -> Iterator[tuple[float, list[list[Any]]]]:
    """Values of both runs at each temperature at which both have some."""
    for temperature in sorted({key[0] for key in first}):
        values = [
            [value for key, value in run.items() if key[0] == temperature]
            for run in (first, second)
        ]
        if all(values):
            yield temperature, values

"""Echo: how much of the turn is the answer said again."""

from __future__ import annotations

from userturn.measures.kinds import Measure
from userturn.measures.overlap import covered, words


def echo(turn: str, answer: str) -> float:
    """Share of the turn's words that stand in the best-matching window of the answer, in [0, 1]."""
    return covered(words(turn), words(answer))


MEASURE = Measure(
    "overlap of the turn with the answer",
    "share",
    lambda turn, _: echo(turn.text, turn.answer),
)

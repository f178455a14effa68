"""Echo: how much of the turn is the answer said again, always the one that was shown."""

from __future__ import annotations

from userturn.measures.kinds import Measure
from userturn.measures.overlap import covered, words


def echo(turn: str, answer: str) -> float:
    """Share of the turn's words that stand in the best-matching window of the answer, in [0, 1]."""
    return covered(words(turn), words(answer))


MEASURE = Measure(
    "overlap of the turn with the answer that was shown",
    "share",
    lambda turn, _: echo(turn.text, turn.shown),
)

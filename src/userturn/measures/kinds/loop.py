"""Loop: how much of the turn repeats itself."""

from __future__ import annotations

from userturn.measures.kinds import Measure
from userturn.measures.overlap import words

GRAM = 4
"""Words, or characters where there are too few words, in a repeated unit."""


def loop(text: str) -> float:
    """Share of 4-grams that repeat an earlier one, in [0, 1].

    Over words; over characters where there are fewer than four words, so that `hahahaha` or a row
    of dashes counts as the loop it is. 0 where there are fewer than two 4-grams.
    """
    units: tuple[str, ...] = words(text)
    if len(units) < GRAM:
        units = tuple("".join(text.split()))
    grams = [units[start : start + GRAM] for start in range(len(units) - GRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if len(grams) > 1 else 0.0


MEASURE = Measure(
    "repeated 4-grams of the turn",
    "share",
    lambda turn, _: loop(turn.text),
)

"""Restatement: how much of the turn is the query said again."""

from __future__ import annotations

from userturn.measures.kinds import Measure
from userturn.measures.overlap import covered, dice, words


def restatement(turn: str, query: str) -> float:
    """Share of the turn's words that stand in the best-matching window of the query, in [0, 1].

    The window has the turn's length, so a turn that repeats only the last sentence of a long query
    scores 1, while function words scattered over the query do not add up. A turn of at least half
    the query's length is compared with all of it. Inside the window the order of words is free;
    different numbers are different words; what the turn adds lowers the share. Content words alone
    must reach the share, too: "What is the name of ...?" shares its frame with many a query.

    Or, if that is more, Dice's coefficient of the content words of both, which a lead-in and other
    small words cannot lower: it is high where the turn says all of the query and little else.
    """
    return max(covered(words(turn), words(query)), dice(turn, query))


MEASURE = Measure(
    "overlap of the turn with the query",
    "share",
    lambda turn, _: restatement(turn.text, turn.query),
)

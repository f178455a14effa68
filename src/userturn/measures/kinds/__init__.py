"""Measures of a user turn, one module each. A module defines MEASURE, and gives a column its name.

For a user turn `u` behind query `q` and answer `a`. Measures from a scorer language model compare
the log-probabilities of the turn's tokens in two contexts; measures of the text compare words.

Where more was said before `q`, likelihoods stand behind all of it. Words are compared with `q`
alone, the user turn that was answered, and with `a`: who says again what was asked some turns ago
restates no query that still waits, and a long history would share a few words with any turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from userturn.base import registry
from userturn.measures.measurable import Measurable

LogP = Mapping[str, Sequence[float]]
"""Natural-log probability of each token of a turn, by context; empty for what was not scored."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure.

    Attributes:
        meaning: What it says, in one line.
        unit: Its unit.
        value: Works it out. A pure function; asked only of a turn that has text, and that was
            scored in each of `contexts`.
        contexts: Modules of `measures.contexts` that it reads; none for a measure of the text.
        type: Column type, see `artifacts.schemas`.
    """

    meaning: str
    unit: str
    value: Callable[[Measurable, LogP], Any]
    contexts: tuple[str, ...] = ()
    type: str = "float64"


@cache
def load_all() -> dict[str, Measure]:
    """Every measure by name."""
    return registry.load_all("measures.kinds", "MEASURE")


def gains(behind: Sequence[float], instead: Sequence[float]) -> list[float]:
    """How much likelier each token is in one context than in another, in nats.

    >>> gains([-1.0, -2.0], [-3.0, -2.5])
    [2.0, 0.5]
    """
    return [one - other for one, other in zip(behind, instead, strict=True)]


def compare(behind: str, instead: str) -> Callable[[Measurable, LogP], float]:
    """A measure's value: mean of the gains between two contexts, in nats per token."""

    def value(_: Measurable, log_p: LogP) -> float:
        return mean(gains(log_p[behind], log_p[instead]))

    return value


def mean(values: Sequence[float]) -> float:
    """Mean; 0 of nothing."""
    return math.fsum(values) / len(values) if values else 0.0

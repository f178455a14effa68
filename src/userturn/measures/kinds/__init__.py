"""Measures of a user turn, one module each. A module defines MEASURE, and gives a column its name.

For a user turn `u` of `|u|` tokens behind query `q` and answer `a`. Measures from a scorer language
model compare the log-probabilities of the turn's tokens in several contexts; measures of the text
compare words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from userturn.base import registry
from userturn.measures.measurable import Measurable

Behind = Sequence[Sequence[float]]
"""Natural-log probability of each token of a turn, behind each conversation of one context."""
LogP = Mapping[str, Behind]
"""The same by context; empty where a context could lay out no conversation."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure.

    Attributes:
        meaning: What it says, in one line.
        unit: Its unit.
        value: Works it out. A pure function; asked only of a turn that has text, and behind each of
            `contexts` at least one conversation.
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


def total(behind: Behind) -> float:
    """Log-probability of the whole turn, in nats, as the mean over the conversations.

    >>> total([[-1.0, -2.0], [-3.0, -4.0]])
    -5.0
    """
    return math.fsum(math.fsum(tokens) for tokens in behind) / len(behind)

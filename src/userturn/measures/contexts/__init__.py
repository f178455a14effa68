"""Contexts in which a turn is scored, one module each. A module defines CONTEXT.

A context lays out the conversations behind which the turn's tokens get their log-probabilities. Its
sum is the column `log_p_<name>` (`log_p` for `own`), and measures read it token by token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from userturn.base import registry
from userturn.measures.measurable import Key
from userturn.study.classify import Ground


@dataclass(frozen=True, slots=True)
class Conversation:
    """What stands in front of a turn.

    Attributes:
        prompt: The prompt whose query it shows. Conversations of one prompt go to the scorer
            together, because they share the query and often the answer in front.
        query: That query.
        answer: The answer to it, or what stands in for one.
        role: Whose header stands behind them.
    """

    prompt: Key
    query: str
    answer: str
    role: Literal["user", "assistant"] = "user"


@dataclass(frozen=True, slots=True)
class Scene:
    """What a context may lay out conversations from: the place of a turn, and what is around it.

    Attributes:
        own: The turn's query, and the answer that it is measured against.
        condition: `base`, or a perturbation.
        ground: How many answers and conversations of other prompts to compare with.
        others: Conversations of the other prompts under a condition, in a seeded order in which
            each follows each equally often, those of the same dataset first; without those whose
            answer is the turn's own or the one it was shown.
        fits: Whether the scorer takes a turn behind a conversation. Of a turn that has to go behind
            one that does not fit, nothing is scored.
    """

    own: Conversation
    condition: str
    ground: Ground
    others: Callable[[str], Iterator[Conversation]]
    fits: Callable[[Conversation], bool]


@dataclass(frozen=True, slots=True)
class Context:
    """One context.

    Attributes:
        meaning: What it is, in one line.
        lay_out: The conversations, none where there are none; their mean stands in the column.
    """

    meaning: str
    lay_out: Callable[[Scene], Iterable[Conversation]]


@cache
def load_all() -> dict[str, Context]:
    """Every context by name, `own` first: in that order they reach the scorer."""
    return registry.load_all("measures.contexts", "CONTEXT", first=("own",))

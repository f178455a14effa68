"""Contexts in which a turn is scored, one module each. A module defines CONTEXT.

A context lays out the conversations behind which the turn's tokens get their log-probabilities.
They are the column `log_p_<name>` (`log_p` for `own`), and measures compare them token by token.

A query keeps all that was said before it in every context that shows it, so that uptake is what
this answer adds to the whole conversation. Reasoning is in none: no user has read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from userturn.artifacts.messages import Query
from userturn.base import registry
from userturn.study.classify import Ground


@dataclass(frozen=True, slots=True)
class Conversation:
    """What stands in front of a turn.

    Attributes:
        query: The query, behind all that was said before it, system message and all; None where
            nothing stands in front of the turn.
        answer: The answer to it, or what stands in for one; None where there is no query.
        role: Whose header stands behind them.
    """

    query: Query | None
    answer: str | None
    role: Literal["user", "assistant"] = "user"


@dataclass(frozen=True, slots=True)
class Scene:
    """What a context may lay out conversations from.

    Attributes:
        own: The turn's query, and the answer that it is measured against.
        ground: What the study puts in an answer's place.
    """

    own: Conversation
    ground: Ground


@dataclass(frozen=True, slots=True)
class Context:
    """One context.

    Attributes:
        meaning: What it is, in one line.
        lay_out: The conversations, one or more; the mean over them stands in the column.
    """

    meaning: str
    lay_out: Callable[[Scene], Iterable[Conversation]]


@cache
def load_all() -> dict[str, Context]:
    """Every context by name, `own` first: in that order they reach the scorer."""
    return registry.load_all("measures.contexts", "CONTEXT", first=("own",))

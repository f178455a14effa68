"""A user turn as it is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from userturn.artifacts.messages import Message, Query, query_of

Target = tuple[int, ...]
"""Token ids whose log-probability is asked for."""


@dataclass(frozen=True, slots=True)
class Measurable:
    """One user turn to measure.

    Attributes:
        key: Values of schemas.AGAINST_KEY, or what else tells it from other turns.
        query: The user turn that was answered: what the turn's words are compared with.
        answer: The answer that it is measured against.
        text: The user turn.
        tokens: Its ids for the scorer; empty where there is nothing to score.
        earlier: What was said before the query.
    """

    key: tuple[Any, ...]
    query: str
    answer: str
    text: str
    tokens: Target
    earlier: tuple[Message, ...] = ()

    @property
    def asked(self) -> Query:
        """The query, behind what was said before it."""
        return query_of(self.earlier, self.query)

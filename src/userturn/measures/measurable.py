"""A user turn as it is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Target = tuple[int, ...]
"""Token ids whose log-probability is asked for."""


@dataclass(frozen=True, slots=True)
class Measurable:
    """One user turn to measure.

    Attributes:
        key: Values of schemas.AGAINST_KEY, or what else tells it from other turns.
        query: The prompt.
        answer: The answer that it is measured against.
        text: The user turn.
        tokens: Its ids for the scorer; empty where there is nothing to score.
    """

    key: tuple[Any, ...]
    query: str
    answer: str
    text: str
    tokens: Target

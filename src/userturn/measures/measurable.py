"""A user turn as it is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Key = tuple[str, str]
"""Dataset and item: which prompt."""
Target = tuple[int, ...]
"""Token ids whose log-probability is asked for."""


@dataclass(frozen=True, slots=True)
class Measurable:
    """One user turn to measure.

    Attributes:
        key: Values of schemas.TURN_KEY.
        query: The prompt.
        shown: The answer that its context showed.
        own: The answer that the turn is measured against: `shown`, but under `swap` the prompt's.
        text: The user turn.
        tokens: Its ids for the scorer; empty where there is nothing to score.
    """

    key: tuple[Any, ...]
    query: str
    shown: str
    own: str
    text: str
    tokens: Target

    @property
    def prompt(self) -> Key:
        """Dataset and item."""
        return self.key[0], self.key[1]

    @property
    def condition(self) -> str:
        """`base`, or a perturbation."""
        return str(self.key[2])

"""What the likelihood judge reads of one turn. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from userturn.artifacts import schemas

CONTEXTS = ("own", "neutral", "alone", "assistant")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A turn, its conversation and its likelihoods.

    Attributes:
        text: The user turn.
        end: `eos`, `stop_token`, `length` or `empty`.
        query: The prompt.
        answer: The answer that the turn is judged against.
        pieces: Text of each token; joined they are `text`. Empty where it was not scored.
        log_p: Natural-log probability of each token, by CONTEXTS; empty where it was not scored.
    """

    text: str
    end: str | None
    query: str
    answer: str
    pieces: Sequence[str] = ()
    log_p: Mapping[str, Sequence[float]] | None = None

    @classmethod
    def of(cls, turn: Mapping[str, Any], measures: Mapping[str, Any]) -> Self:
        """Take it from a turn (`text`, `end`, `query`, `answer`) and its row of `grounding`."""
        behind = {name: measures[schemas.tokens_column(name)] for name in CONTEXTS}
        scored = all(tokens is not None for tokens in behind.values())
        return cls(
            text=turn["text"] or "",
            end=turn["end"],
            query=turn["query"],
            answer=turn["answer"] or "",
            pieces=measures["token_texts"] if scored else (),
            log_p=behind if scored else None,
        )

    @property
    def scored(self) -> bool:
        """Whether the scorer gave its likelihoods."""
        return self.log_p is not None

    @property
    def cut(self) -> bool:
        """Whether the turn was cut at the token limit."""
        return self.end == "length"

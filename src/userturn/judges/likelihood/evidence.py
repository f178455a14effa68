"""What the likelihood judge reads of one turn. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from userturn.measures.overlap import word_set, words

PRONOUNS = word_set("it its that this these those they them their")
"""Words that point back at something said; English, as all word lists of the judge."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the judge reads of one turn.

    Attributes:
        text: The user turn.
        end: `eos`, `stop_token`, `length` or `empty`.
        answer: The answer that its context showed.
        tokens: Length of the turn for the scorer; 0 where there is nothing to score.
        grounding: `G`, nats per token; None where it was not scored.
        role_voice: `V`, nats per token; None where it was not scored.
        relevance: `C`, nats; None where it was not scored.
        restatement: Overlap `R` with the query, share; None where there is no text.
        echo: Overlap with the answer, share; None where there is no text.
        loop: Repeated 4-grams, share; None where there is no text.
    """

    text: str
    end: str | None
    answer: str
    tokens: int
    grounding: float | None
    role_voice: float | None
    relevance: float | None
    restatement: float | None
    echo: float | None
    loop: float | None

    @classmethod
    def of(cls, text: str, end: str | None, answer: str, measures: Mapping[str, Any]) -> Self:
        """Take from a turn's measures, a row of kind `grounding`, those that the judge reads."""
        read = [field.name for field in fields(cls) if field.name in measures]
        return cls(text=text, end=end, answer=answer, **{name: measures[name] for name in read})

    def inputs(self) -> dict[str, float]:
        """What the classifier of follow-ups weighs; of a turn that was scored.

        Each compares this conversation, answer or role with others. The plain likelihood of a turn
        is left out: what the scorer itself wrote is likelier than what people write.
        """
        relevance = self.relevance if self.relevance is not None else math.nan
        return {
            "relevance": relevance,
            "relevance_per_token": relevance / self.tokens if self.tokens else math.nan,
            "grounding": self.grounding if self.grounding is not None else math.nan,
            "role_voice": self.role_voice if self.role_voice is not None else math.nan,
            "restatement": self.restatement or 0.0,
            "echo": self.echo or 0.0,
            "refers_back": float(not PRONOUNS.isdisjoint(words(self.text))),
        }

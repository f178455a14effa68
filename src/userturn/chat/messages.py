"""Messages: what a conversation is made of, whatever the template that renders it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Role = Literal["user", "assistant", "system", "developer", "tool"]
ROLES: tuple[Role, ...] = ("user", "assistant", "system", "developer", "tool")
"""Roles whose headers are looked for; a template need only know the first two."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        role: Who writes it.
        content: What it says.
        reasoning: What an assistant thought before it; the template shows it or drops it.
    """

    role: Role
    content: str
    reasoning: str = ""


Query = str | Sequence[Message]
"""What an answer answers: one user turn, or messages that end in a user turn, such as a system
message and the turns so far."""


def messages_of(query: Query) -> tuple[Message, ...]:
    """The messages of a query."""
    return (Message("user", query),) if isinstance(query, str) else tuple(query)


def alternating(*contents: str) -> tuple[Message, ...]:
    """User and assistant turns with these contents, a user turn first."""
    return tuple(
        Message("assistant" if turn % 2 else "user", content)
        for turn, content in enumerate(contents)
    )


def texts_of(messages: Sequence[Message]) -> list[str]:
    """Every text of messages."""
    return [text for one in messages for text in (one.content, one.reasoning)]

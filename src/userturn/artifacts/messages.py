"""Messages: what a conversation is made of, in memory and in the rows of artifacts.

A prompt is a conversation that ends in a user turn. Its row keeps that turn in one column, by
itself, and in `earlier` the messages in front of it: at most one system message, then user and
assistant turns by turns. Most prompts are one question, and have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["user", "assistant", "system", "developer", "tool"]


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


def query_of(earlier: Iterable[Message], text: str) -> Query:
    """What a prompt asks: its last user turn behind the messages in front of it.

    >>> query_of((), "Why?")
    'Why?'
    """
    before = tuple(earlier)
    return (*before, Message("user", text)) if before else text


def read(cells: Iterable[Mapping[str, Any]] | None) -> tuple[Message, ...]:
    """Messages of a cell of type `list<message>` (artifacts/schemas.py)."""
    return tuple(Message(cell["role"], cell["content"]) for cell in cells or ())


def write(messages: Iterable[Message]) -> list[dict[str, str]]:
    """Messages as a cell of that type; reasoning is no part of a prompt."""
    return [{"role": one.role, "content": one.content} for one in messages]


def asked(prompt: Mapping[str, Any]) -> Query:
    """What a row of kind `prompts` asks."""
    return query_of(read(prompt["earlier"]), prompt["text"])

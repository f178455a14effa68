"""Messages as templates take them: whose headers are looked for, and conversations to try."""

from __future__ import annotations

from collections.abc import Sequence

from userturn.artifacts.messages import Message, Role

ROLES: tuple[Role, ...] = ("user", "assistant", "system", "developer", "tool")
"""Roles whose headers are looked for; a template need only know the first two."""


def alternating(*contents: str) -> tuple[Message, ...]:
    """User and assistant turns with these contents, a user turn first."""
    return tuple(
        Message("assistant" if turn % 2 else "user", content)
        for turn, content in enumerate(contents)
    )


def texts_of(messages: Sequence[Message]) -> list[str]:
    """Every text of messages."""
    return [text for one in messages for text in (one.content, one.reasoning)]

"""The turn as the first one of a conversation: what it owes to no context at all."""

from __future__ import annotations

from collections.abc import Iterable

from userturn.measures.contexts import Context, Conversation, Scene


def lay_out(_: Scene) -> Iterable[Conversation]:
    """The empty conversation."""
    return [Conversation(None, None)]


CONTEXT = Context("as the first turn of a conversation", lay_out)

"""The turn in the assistant's mouth: behind query and answer, under the assistant header."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from userturn.measures.contexts import Context, Conversation, Scene


def lay_out(scene: Scene) -> Iterable[Conversation]:
    """The conversation, with the other header behind it."""
    return [replace(scene.own, role="assistant")]


CONTEXT = Context("behind query and answer, under the assistant header", lay_out)

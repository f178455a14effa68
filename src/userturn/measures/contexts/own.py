"""The turn where it stands: behind query and answer, under the user header."""

from __future__ import annotations

from collections.abc import Iterable

from userturn.measures.contexts import Context, Conversation, Scene


def lay_out(scene: Scene) -> Iterable[Conversation]:
    """The conversation itself."""
    return [scene.own]


CONTEXT = Context("behind query and answer, under the user header", lay_out)

"""The turn behind its query and answers that say nothing: what the query alone explains."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from userturn.measures.contexts import Context, Conversation, Scene


def lay_out(scene: Scene) -> Iterable[Conversation]:
    """One conversation per answer of `ground.neutral`."""
    return [replace(scene.own, answer=answer) for answer in scene.ground.neutral]


CONTEXT = Context("behind the query and a neutral answer", lay_out)

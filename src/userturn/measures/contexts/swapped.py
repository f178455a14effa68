"""The turn behind answers to other prompts, which stand in for its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from userturn.measures.contexts import Context, Conversation, Scene


def lay_out(scene: Scene) -> Iterable[Conversation]:
    """`ground.swaps` conversations; the answers carry the same perturbation as the turn's own."""
    others = scene.others(scene.condition)
    swapped = (replace(scene.own, answer=other.answer) for other in others)
    return islice(swapped, scene.ground.swaps)


CONTEXT = Context("behind the query and answers to other prompts", lay_out)

"""The turn behind other conversations."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from userturn.artifacts.schemas import BASE
from userturn.measures.contexts import Context, Conversation, Scene


def lay_out(scene: Scene) -> Iterable[Conversation]:
    """`ground.others` unperturbed conversations about something else that the scorer takes."""
    about_else = (
        other
        for other in scene.others(BASE)
        if other.query != scene.own.query and scene.fits(other)
    )
    return islice(about_else, scene.ground.others)


CONTEXT = Context("behind other conversations", lay_out)

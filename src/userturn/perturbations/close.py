"""A closing line behind the answer."""

from __future__ import annotations

from userturn.perturbations import Material, Perturbation
from userturn.perturbations._material import append

CLOSINGS = (
    "I am glad I could help. Goodbye!",
    "That is everything you need to know. Have a nice day!",
    "This answers your question in full.",
    "There is nothing more to add.",
    "All done. Take care!",
)


def close(answer: str, material: Material) -> str:
    """The answer with a closing line behind it."""
    return append(answer, CLOSINGS[material.draw % len(CLOSINGS)])


PERTURBATION = Perturbation(close, "down", "a closing line ends the conversation")

"""A question behind the answer."""

from __future__ import annotations

from userturn.perturbations import Material, Perturbation
from userturn.perturbations._material import append

QUESTIONS = (
    "Does that make sense?",
    "Would you like me to explain any part in more detail?",
    "What would you like to know next?",
    "Is there anything you would change?",
    "Shall I go on?",
)


def ask(answer: str, material: Material) -> str:
    """The answer with a generic question behind it."""
    return append(answer, QUESTIONS[material.draw % len(QUESTIONS)])


PERTURBATION = Perturbation(ask, "up", "a question at the end hands the turn to the user")

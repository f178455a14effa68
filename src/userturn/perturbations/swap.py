"""Another prompt's answer in place of the answer."""

from __future__ import annotations

from userturn.perturbations import Material, Perturbation


def swap(answer: str, material: Material) -> str | None:  # noqa: ARG001 - replaced as a whole
    """The answer of another prompt; None where there is none."""
    return material.other


PERTURBATION = Perturbation(
    swap,
    "open",
    "a reaction to the answer can no longer be one to the query; table `unseen` tests it",
)

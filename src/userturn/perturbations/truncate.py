"""The first half of the answer."""

from __future__ import annotations

from userturn.perturbations import Material, Perturbation


def truncate(answer: str, material: Material) -> str:
    """First half of the answer's tokens, cut at a token (never inside a character)."""
    ids = material.encode(answer)
    return material.decode(ids[: len(ids) // 2]).rstrip("\N{REPLACEMENT CHARACTER}")


PERTURBATION = Perturbation(truncate, "up", "an unfinished answer invites a reaction")

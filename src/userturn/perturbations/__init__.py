"""Controlled perturbations of the answer, one module each.

A module defines PERTURBATION: a pure function from answer to answer, with the direction in which
the genuine follow-up rate should move (PAPER: truncate and ask are reported, swap and close ours).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from userturn.base import registry


@dataclass(frozen=True, slots=True)
class Material:
    """What a perturbation may use beside the answer.

    Attributes:
        encode: Text to token ids, control tokens never among them.
        decode: Token ids to text.
        draw: Seeded number that picks from a list.
        other: Answer of another prompt; None where no other prompt has one.
    """

    encode: Callable[[str], Sequence[int]]
    decode: Callable[[Sequence[int]], str]
    draw: int
    other: str | None


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One control: what it does to an answer, and what that should do to the follow-up rate.

    Attributes:
        apply: From the answer to the one that is shown; None where there is none to show.
        expected: Where the genuine follow-up rate should move; `open` where that is the question.
        why: Why it should.
    """

    apply: Callable[[str, Material], str | None]
    expected: Literal["up", "down", "open"]
    why: str


def named(condition: str) -> Perturbation:
    """The perturbation of a condition. Raises KeyError where there is none."""
    perturbation: Perturbation = registry.load("perturbations", condition, "PERTURBATION")
    return perturbation

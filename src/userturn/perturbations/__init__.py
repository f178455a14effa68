"""Controlled perturbations of the answer.

Each perturbation is a pure function from answer to answer, registered with the direction in which
the genuine follow-up rate should move (PAPER: truncate and ask are reported, swap and close ours).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

QUESTIONS = (
    "Does that make sense?",
    "Would you like me to explain any part in more detail?",
    "What would you like to know next?",
    "Is there anything you would change?",
    "Shall I go on?",
)
CLOSINGS = (
    "I am glad I could help. Goodbye!",
    "That is everything you need to know. Have a nice day!",
    "This answers your question in full.",
    "There is nothing more to add.",
    "All done. Take care!",
)


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


def truncate(answer: str, material: Material) -> str:
    """First half of the answer's tokens, cut at a token (never inside a character)."""
    ids = material.encode(answer)
    return material.decode(ids[: len(ids) // 2]).rstrip("\N{REPLACEMENT CHARACTER}")


def ask(answer: str, material: Material) -> str:
    """The answer with a generic question behind it."""
    return _append(answer, QUESTIONS[material.draw % len(QUESTIONS)])


def swap(answer: str, material: Material) -> str | None:  # noqa: ARG001 - replaced as a whole
    """The answer of another prompt; None where there is none."""
    return material.other


def close(answer: str, material: Material) -> str:
    """The answer with a closing line behind it."""
    return _append(answer, CLOSINGS[material.draw % len(CLOSINGS)])


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One control: what it does to an answer, and what that should do to the follow-up rate."""

    apply: Callable[[str, Material], str | None]
    expected: Literal["up", "down"]
    why: str


PERTURBATIONS: dict[str, Perturbation] = {
    "truncate": Perturbation(truncate, "up", "an unfinished answer invites a reaction"),
    "ask": Perturbation(ask, "up", "a question at the end hands the turn to the user"),
    "swap": Perturbation(swap, "down", "a turn that depends on the answer loses its own answer"),
    "close": Perturbation(close, "down", "a closing line ends the conversation"),
}
EXPECTED: dict[str, Literal["up", "down"]] = {
    name: perturbation.expected for name, perturbation in PERTURBATIONS.items()
}


def _append(answer: str, line: str) -> str:
    return f"{answer.rstrip()}\n\n{line}" if answer.strip() else line

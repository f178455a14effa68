"""Task accuracy: did the answer solve the prompt? Published verifiers only, one module each.

A module defines VERIFIER. Mathematics is checked by math-verify, instruction following by
if-verifiable (the checkers of IFEval and IFBench). Conversation sets have no verifier. What cannot
be scored is "not scored" with the reason, never wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from userturn.base import registry


@dataclass(frozen=True, slots=True)
class Score:
    """Outcome of one answer.

    Attributes:
        strict: Score in [0, 1]; None where not scored.
        loose: The same, forgiving first and last lines and asterisks (IFEval's loose accuracy);
            equal to `strict` where a verifier knows no such difference.
        unscored: Why there is no score.
    """

    strict: float | None
    loose: float | None
    unscored: str | None = None


def _nothing() -> None:
    """A verifier that needs no data."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A way to check answers.

    Attributes:
        check: From a prompt's target, as its reader made it, and the answer to a score.
        prepare: Fetches whatever it needs, so that scoring later needs no network; raises
            SourceError where that cannot be fetched.
    """

    check: Callable[[Any, str], Score]
    prepare: Callable[[], object] = _nothing


def named(name: str) -> Verifier:
    """The verifier that a prompt names. Raises KeyError where there is none."""
    verifier: Verifier = registry.load("verifiers", name, "VERIFIER")
    return verifier


def score(verifier: str | None, target: str | None, text: str | None) -> Score:
    """Score one answer; in the main thread, for only there mathematics has its time limit.

    Args:
        verifier: Name of a verifier, or None for a conversation set.
        target: JSON that the verifier reads, as in the prompts artifact.
        text: The answer; None where none was generated.

    Raises:
        SourceError: The verifier needs data that cannot be fetched.
    """
    if verifier is None:
        return Score(None, None, "conversation: no published verifier")
    if text is None:
        return Score(None, None, "no answer")
    if target is None:
        return Score(None, None, f"{verifier}: no target")
    return named(verifier).check(json.loads(target), text)

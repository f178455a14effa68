"""The contract of an engine: completions as they finish, and log-probabilities of given tokens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from userturn.requests import Completion, Request


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Targets to score behind one context, which the engine runs once for all of them.

    Attributes:
        context: Token ids in front of every target; at least one.
        targets: Token ids to score, one tuple per target; none is empty.
    """

    context: tuple[int, ...]
    targets: tuple[tuple[int, ...], ...]


class Engine(ABC):
    """Generates completions and scores sequences with one set of weights."""

    name: str

    @abstractmethod
    def load(self) -> None:
        """Load the weights. Raises EngineError where they or the engine's package are missing."""

    @abstractmethod
    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Completion]]:
        """Yield each request with its completion as soon as it is finished, in any order."""

    @abstractmethod
    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[list[list[float]]]:
        """Yield, in the order of `requests`, natural-log probabilities per target and token."""

    @abstractmethod
    def describe(self) -> dict[str, str]:
        """Facts for provenance: engine, version, device, number format, and what they promise."""

    def close(self) -> None:  # noqa: B027 - most engines hold nothing beyond their object
        """Free the weights; a later `load` must work again."""

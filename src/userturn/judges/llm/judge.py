"""What asks a model to label a turn: a question in, the text of its reply out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Question:
    """One request to a judge.

    Attributes:
        id: Hash of everything that determines the reply.
        body: What is sent: a Request to an engine, a JSON object to a server.
    """

    id: str
    body: Any


class Judge(ABC):
    """A model that replies to questions; a source of `store.asker`."""

    @abstractmethod
    def question(self, prompt: str) -> Question | str:
        """The question that a prompt becomes, or why it cannot be asked."""

    @abstractmethod
    def answer(
        self, asked: Mapping[str, Question], state: Callable[[], str]
    ) -> Generator[tuple[str, str | None], None, None]:
        """Yield id and reply as they come; None where the prompt does not fit the context.

        Raises:
            EngineError: The model or server cannot be reached, or broke.
            JudgeError: The cost ceiling is reached.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Facts for provenance."""

    def close(self) -> None:  # noqa: B027 - a server has nothing to free
        """Free the weights."""

"""The contract of an engine: completions as they finish, and log-probabilities of given tokens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from userturn.base.errors import EngineError
from userturn.engines.requests import Completion, End, Request, Sampling
from userturn.study.models import EngineParams

_MEMORY_SIGNS = (
    "out of memory",  # CUDA, HIP, XPU
    "outofmemoryerror",
    "can't allocate memory",  # torch's DefaultCPUAllocator
    "cannot allocate memory",  # ENOMEM
    "bad_alloc",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
)


class EngineMemoryError(EngineError):
    """Memory ran out while an engine worked; a smaller batch may fit."""


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

    @property
    @abstractmethod
    def max_model_len(self) -> int:
        """Longest context plus completion, in tokens, that the loaded engine takes."""

    @abstractmethod
    def load(self) -> None:
        """Load the weights. Raises EngineError where they or the engine's package are missing."""

    @abstractmethod
    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Completion]]:
        """Yield each request with its completion as soon as it is finished, in any order.

        Raises:
            EngineError: A request does not fit `max_model_len`, or the engine broke; as
                EngineMemoryError where memory ran out.
        """

    @abstractmethod
    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[list[list[float]]]:
        """Yield, in the order of `requests`, natural-log probabilities per target and token.

        Raises:
            EngineError: A request does not fit `max_model_len`, or the engine broke.
        """

    @abstractmethod
    def describe(self) -> dict[str, str]:
        """Facts for provenance: engine, version, device, number format, and what they promise.

        Needs no `load`, so that rows found in the completion store are described alike.
        """

    def close(self) -> None:  # noqa: B027 - most engines hold nothing beyond their object
        """Free the weights; a later `load` must work again."""


@dataclass(frozen=True)
class EngineKind:
    """One way to run a model, as a module of `engines/kinds` defines it under the name ENGINE.

    Attributes:
        make: Makes the engine of a model folder; the last argument says whether requests will hold
            a `json_schema`. Imports nothing heavy: that is for `Engine.load`.
        package: Package that has to be installed; None where none has.
        constrains: Whether it can hold completions to a JSON schema.
    """

    make: Callable[[EngineParams, Path, bool], Engine]
    package: str | None = None
    constrains: bool = False


def steps(request: Request, max_model_len: int) -> int:
    """Tokens to generate: the limit and one more, which shows whether the completion ended there.

    Where that one more would not fit `max_model_len`, the completion counts as cut.
    """
    return min(request.sampling.max_tokens + 1, max_model_len - len(request.context))


def finish(generated: Sequence[int], sampling: Sampling, eos: frozenset[int]) -> Completion:
    """Completion of what was generated: cut before the first stop id, or at the limit.

    Args:
        generated: Ids as the engine gave them, at most one more than the limit.
        sampling: Holds the limit and the stop ids.
        eos: End-of-sequence ids of the model, which tell `eos` from `stop_token`.
    """
    for index, token in enumerate(generated[: sampling.max_tokens + 1]):
        if token in sampling.stop_ids:
            end: End = "eos" if token in eos else "stop_token"
            return Completion(tuple(generated[:index]), end, token)
    return Completion(tuple(generated[: sampling.max_tokens]), "length", None)


def check_fits(requests: Sequence[Request], max_model_len: int) -> None:
    """Refuse requests that the engine would have to cut.

    Raises:
        EngineError: Names the first such request.
    """
    for request in requests:
        context, limit = len(request.context), request.sampling.max_tokens
        if context + limit > max_model_len:
            raise EngineError(
                f"request {request.id}: {context} tokens of context and up to {limit} generated "
                f"do not fit engine.max_model_len {max_model_len}; raise it, or skip the request"
            )


def check_scores_fit(requests: Sequence[ScoreRequest], max_model_len: int) -> None:
    """The same for scoring.

    Raises:
        EngineError: Names the place of the first request that does not fit.
    """
    for place, request in enumerate(requests):
        longest = len(request.context) + max(map(len, request.targets), default=0)
        if longest > max_model_len:
            raise EngineError(
                f"score request {place}: context and target of {longest} tokens do not fit "
                f"engine.max_model_len {max_model_len}; raise it, or skip the request"
            )


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an exception of torch, of vLLM or of a worker process of theirs says so.

    Read off names and texts: the types live in packages that may not be installed, and a worker's
    exception arrives as the text of another.
    """
    cause: BaseException | None = error
    while cause is not None:
        text = str(cause).lower()
        if isinstance(cause, MemoryError) or type(cause).__name__ == "OutOfMemoryError":
            return True
        if any(sign in text for sign in _MEMORY_SIGNS):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def device_name() -> str:
    """`cpu`, or the name of the GPU that torch would use."""
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"


def package_version(*distributions: str) -> str:
    """Version of the first of these distributions that is installed, or `not installed`."""
    for distribution in distributions:
        with suppress(PackageNotFoundError):
            return version(distribution)
    return "not installed"

"""An engine at work: it loads when first needed, and neither full memory nor a hang costs anything.

Out of memory, it goes on with half its batch, which changes no completion; where it hangs, the
process ends with a message, and what was finished is in the store.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Generic, TypeVar

from userturn import engines
from userturn.base.errors import EngineError
from userturn.engines.base import Engine, EngineMemoryError, ScoreRequest, ran_out_of_memory
from userturn.engines.requests import Completion, Request
from userturn.engines.watchdog import watchdog
from userturn.study.models import EngineParams

log = logging.getLogger(__name__)

R = TypeVar("R")
V = TypeVar("V")

Work = Callable[[Engine, Mapping[str, R]], Iterator[tuple[str, V]]]
"""Has an engine answer requests by key; what runs out of memory first comes first."""
Pair = tuple[tuple[int, ...], tuple[int, ...]]
"""Context and target, in token ids."""


class Worker(Generic[R, V]):
    """An engine as a source of answers (asker.Source).

    Args:
        slug: The model, for messages.
        params: How it runs.
        folder: Its directory.
        work: What the engine does.
        constrained: Requests will hold a `json_schema`.
    """

    def __init__(
        self,
        slug: str,
        params: EngineParams,
        folder: Path,
        work: Work[R, V],
        *,
        constrained: bool = False,
    ) -> None:
        self._slug, self._params, self._folder = slug, params, folder
        self._work, self._constrained = work, constrained
        self._engine: Engine | None = None

    def answer(
        self, asked: Mapping[str, R], state: Callable[[], str]
    ) -> Generator[tuple[str, V], None, None]:
        """Keys and answers as they are finished.

        Raises:
            EngineError: The engine cannot load, breaks, or runs out of memory with one sequence
                in a batch.
        """
        waiting = dict(asked)
        while waiting:
            engine = self._load()
            try:
                with closing(self._watched(engine, dict(waiting), state)) as answers:
                    for key, value in answers:
                        del waiting[key]
                        yield key, value
                return
            except EngineMemoryError as error:
                # Its text alone: the exception holds the frames, and those what fills memory.
                reason = str(error)
            del engine, answers
            self._halve_batch(len(waiting), reason, state())

    def describe(self) -> dict[str, str]:
        """Facts about the engine for provenance, the same whether it had to load or not."""
        return self._create().describe()

    def close(self) -> None:
        """Free the engine; it loads again when it is needed."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def _watched(
        self, engine: Engine, waiting: Mapping[str, R], state: Callable[[], str]
    ) -> Generator[tuple[str, V], None, None]:
        """The engine's answers; what it raises beside EngineError becomes one."""
        limit, key = self._params.hang_seconds, f"model.{self._slug}.engine.hang_seconds"

        def hangs() -> str:
            return (
                f"{state()}, and then none for {limit:g} s: the {engine.name} engine hangs. Run "
                f"the same command again for the rest; raise {key} if this model is so slow"
            )

        with watchdog(limit, hangs) as alive:
            answers = self._work(engine, waiting)
            while True:
                try:
                    answered = next(answers, None)
                except EngineError:
                    raise
                except Exception as error:
                    kind = EngineMemoryError if ran_out_of_memory(error) else EngineError
                    raise kind(
                        f"{self._slug}: the {engine.name} engine broke "
                        f"({type(error).__name__}: {error})"
                    ) from error
                if answered is None:
                    return
                yield answered
                alive()

    def _halve_batch(self, waiting: int, reason: str, state: str) -> None:
        """Give memory back and go on with half the batch.

        Raises:
            EngineError: One sequence alone does not fit.
        """
        key = f"model.{self._slug}.engine"
        batch = min(self._params.max_num_seqs, waiting)
        self.close()
        if batch == 1:
            raise EngineError(
                f"{state}; out of memory with one sequence in a batch ({reason}). Lower "
                f"{key}.max_model_len, or split {self._slug} over more GPUs "
                f"({key}.tensor_parallel), then run the same command again for the rest"
            )
        log.warning(
            "%s; out of memory (%s): going on with %d sequences in a batch. Set %s.max_num_seqs: "
            "%d to begin so",
            state, reason, batch // 2, key, batch // 2,
        )  # fmt: skip
        self._params = self._params.model_copy(update={"max_num_seqs": batch // 2})

    def _load(self) -> Engine:
        if self._engine is None:
            engine = self._create()
            log.info("loading %s with %s", self._slug, engine.name)
            engine.load()
            self._engine = engine
        return self._engine

    def _create(self) -> Engine:
        return engines.create(self._params, self._folder, constrained=self._constrained)


def generate(engine: Engine, asked: Mapping[str, Request]) -> Iterator[tuple[str, Completion]]:
    """Have an engine complete requests, the longest first."""
    keys = {request: key for key, request in asked.items()}
    for request, done in engine.generate(sorted(keys, key=lambda r: -len(r.context))):
        yield keys[request], done


def score(engine: Engine, asked: Mapping[str, Pair]) -> Iterator[tuple[str, list[float]]]:
    """Have an engine score targets, each context once for all of its own, the longest first."""
    targets: dict[tuple[int, ...], dict[tuple[int, ...], str]] = {}
    for key, (context, target) in asked.items():
        targets.setdefault(context, {})[target] = key
    longest_first = sorted(targets, key=lambda context: -len(context))
    requests = [ScoreRequest(context, tuple(targets[context])) for context in longest_first]
    for request, scores in zip(requests, engine.score(requests), strict=True):
        yield from zip(targets[request.context].values(), scores, strict=True)

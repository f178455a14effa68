"""Completions from the store first, from an engine only for what is missing.

The order in which a completion is looked for: the completion store, the previous output of the same
stage in DVC's cache (a colleague's, on a fresh clone), the engine.

An engine that runs out of memory goes on with half its batch; one that hangs ends the process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from userturn import artifacts, engines
from userturn.base import paths
from userturn.base.errors import ArtifactError, EngineError
from userturn.base.progress import progress
from userturn.chat.roles import Chat
from userturn.engines.base import Engine, EngineMemoryError, ran_out_of_memory
from userturn.engines.requests import Completion, End, Request
from userturn.engines.watchdog import watchdog
from userturn.models import weights
from userturn.store import previous
from userturn.store.completions import CompletionStore
from userturn.study.study import Study

log = logging.getLogger(__name__)


class Completer:
    """Gives one stage of one model its completions; the engine loads at the first missing one.

    Args:
        study: The study.
        slug: The model.
        stage: Stage name, whose previous outputs may hold finished completions.
        chat: The model's stop sets, which turn the names of stop tokens back into ids.
    """

    def __init__(self, study: Study, slug: str, stage: str, chat: Chat) -> None:
        self._study, self._slug, self._stage, self._chat = study, slug, stage, chat
        self._engine: Engine | None = None
        self._imported = False
        self._params = study.model[slug].engine
        self._store = CompletionStore(paths.completion_store(slug))

    def complete(self, requests: Sequence[Request], what: str) -> dict[str, Completion]:
        """Completions by request id.

        Args:
            requests: What is wanted; equal requests are sent once.
            what: Plural name of what is generated, for the progress bar.

        Raises:
            EngineError: The engine cannot load, breaks, or runs out of memory with one sequence
                in a batch. What is finished is in the store.
            KeyboardInterrupt: Passed on, after a message that says how to go on.
        """
        wanted = {request.id: request for request in requests}
        done = self._store.get(wanted)
        if len(done) < len(wanted):
            self._import_previous()
            done = self._store.get(wanted)
        missing = [request for key, request in wanted.items() if key not in done]
        log.info(
            "%s: %s: %d wanted, %d finished, %d to send",
            self._stage, what, len(wanted), len(done), len(missing),
        )  # fmt: skip
        if missing:
            done |= self._send(missing, what)
        return done

    def describe(self) -> dict[str, str]:
        """Facts about the engine for provenance, the same whether it had to load or not."""
        return engines.create(self._params, weights.materialise(self._study, self._slug)).describe()

    def free(self) -> None:
        """Free the engine; it loads again when it is needed."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def close(self) -> None:
        """Free the engine and close the store."""
        self.free()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, missing: list[Request], what: str) -> dict[str, Completion]:
        # The longest first, so that running out of memory comes first.
        waiting = sorted(missing, key=lambda request: -len(request.context))
        done: dict[str, Completion] = {}

        def state() -> str:
            return f"{self._stage}: {len(done)} of {len(missing)} {what} are finished and stored"

        with progress(f"{self._stage}: {what}", len(missing), what) as advance:
            while waiting:
                engine = self._load()
                try:
                    with closing(self._generate(engine, waiting, state)) as finished:
                        for request, completion in finished:
                            self._store.add(request.id, completion)
                            done[request.id] = completion
                            advance(len(completion.token_ids))
                    break
                except EngineMemoryError as error:
                    # Its text alone: the exception holds the frames, and those what fills memory.
                    reason = str(error)
                except (EngineError, KeyboardInterrupt):
                    log.warning("%s: run the same command again for the rest", state())
                    log.debug("where it stopped", exc_info=True)
                    raise
                del engine, finished
                waiting = [request for request in waiting if request.id not in done]
                self._halve_batch(len(waiting), reason, state())
        return done

    def _generate(
        self, engine: Engine, requests: Sequence[Request], state: Callable[[], str]
    ) -> Generator[tuple[Request, Completion], None, None]:
        """The engine's completions; what it raises beside EngineError becomes one."""
        limit, key = self._params.hang_seconds, f"model.{self._slug}.engine.hang_seconds"

        def hangs() -> str:
            return (
                f"{state()}, and then none for {limit:g} s: the {engine.name} engine hangs. Run "
                f"the same command again for the rest; raise {key} if this model is so slow"
            )

        with watchdog(limit, hangs) as alive:
            completions = engine.generate(requests)
            while True:
                try:
                    finished = next(completions, None)
                except EngineError:
                    raise
                except Exception as error:
                    kind = EngineMemoryError if ran_out_of_memory(error) else EngineError
                    raise kind(
                        f"{self._slug}: the {engine.name} engine broke "
                        f"({type(error).__name__}: {error})"
                    ) from error
                if finished is None:
                    return
                yield finished
                alive()

    def _halve_batch(self, waiting: int, reason: str, state: str) -> None:
        """Give memory back and go on with half the batch, which changes no completion.

        Raises:
            EngineError: One sequence alone does not fit.
        """
        key = f"model.{self._slug}.engine"
        batch = min(self._params.max_num_seqs, waiting)
        self.free()
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
            model_dir = weights.materialise(self._study, self._slug)
            engine = engines.create(self._params, model_dir)
            log.info("%s: loading %s with %s", self._stage, self._slug, engine.name)
            engine.load()
            self._engine = engine
        return self._engine

    def _import_previous(self) -> None:
        """Put completions of the stage's previous outputs into the store, once."""
        if self._imported:
            return
        self._imported = True
        for path in previous.outputs(self._stage):
            try:
                found = list(_completions(path, self._chat))
            except ArtifactError as error:
                log.warning("%s: previous output not used: %s", self._stage, error)
                continue
            self._store.add_all(found)
            log.info("%s: %d completions from its previous output", self._stage, len(found))


def _completions(path: Path, chat: Chat) -> Iterator[tuple[str, Completion]]:
    """Completions that an artifact's rows hold."""
    kind = str(artifacts.read_provenance(path).get("kind"))
    stop = chat.answer_stop if kind == "answers" else chat.user_stop
    ids = {name: number for number, name in stop.names.items()}
    frame = artifacts.read(path, kind)
    for request_id, token_ids, name in frame.select(
        "request_id", "token_ids", "stop_token"
    ).iter_rows():
        if request_id is None or (name is not None and name not in ids):
            continue
        # The column `end` says `empty` where the text is, so the end is read off the stop token.
        stop_id = None if name is None else ids[name]
        end: End = "length"
        if stop_id is not None:
            end = "eos" if stop.reasons[stop_id].startswith("eos") else "stop_token"
        yield request_id, Completion(tuple(token_ids), end, stop_id)

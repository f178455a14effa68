"""Completions from the store first, from an engine only for what is missing.

The order in which a completion is looked for: the completion store, the previous output of the same
stage in DVC's cache (a colleague's, on a fresh clone), the engine.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from userturn import artifacts, engines, paths, previous, weights
from userturn.engines.base import Engine
from userturn.errors import ArtifactError
from userturn.params import Study
from userturn.progress import progress
from userturn.requests import Completion, End, Request
from userturn.roles import Chat
from userturn.store import CompletionStore

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
            EngineError: The engine cannot load or breaks. What is finished is in the store.
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
            for request, completion in self._send(missing, what):
                done[request.id] = completion
        return done

    def describe(self) -> dict[str, str]:
        """Facts about the engine for provenance, the same whether it had to load or not."""
        return engines.create(self._params, weights.materialise(self._study, self._slug)).describe()

    def close(self) -> None:
        """Free the engine and close the store."""
        if self._engine is not None:
            self._engine.close()
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

    def _send(self, missing: list[Request], what: str) -> Iterator[tuple[Request, Completion]]:
        engine = self._load()
        # The longest first, so that running out of memory comes first.
        longest_first = sorted(missing, key=lambda request: -len(request.context))
        finished = 0
        title = f"{self._stage}: {what}"
        try:
            with progress(title, len(missing), what) as advance:
                for request, completion in engine.generate(longest_first):
                    self._store.add(request.id, completion)
                    finished += 1
                    advance(len(completion.token_ids))
                    yield request, completion
        except KeyboardInterrupt:
            log.warning(
                "%s: interrupted; %d of %d %s are finished and stored: run the same command again "
                "for the rest",
                self._stage, finished, len(missing), what,
            )  # fmt: skip
            raise

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

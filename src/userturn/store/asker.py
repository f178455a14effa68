"""The one way to ask: the store first, then the stage's previous outputs, then who can answer.

Completions, likelihoods and judges' replies all go through it. What is answered is committed as it
arrives, so whatever ends a run, the same command goes on with the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

from userturn.base.errors import ArtifactError, EngineError
from userturn.base.progress import progress
from userturn.store import previous
from userturn.store.database import Store
from userturn.store.kinds import Kind

log = logging.getLogger(__name__)

R = TypeVar("R")
R_in = TypeVar("R_in", contravariant=True)
V = TypeVar("V")
V_out = TypeVar("V_out", covariant=True)


class Source(Protocol[R_in, V_out]):
    """Who answers: an engine, or a server behind a client."""

    def answer(
        self, asked: Mapping[str, R_in], state: Callable[[], str]
    ) -> Generator[tuple[str, V_out | None], None, None]:
        """Yield keys and answers as they come, in any order; None where none is to be had.

        Args:
            asked: Requests by key.
            state: Says how far the whole is, for messages.

        Raises:
            EngineError: Nothing more can be answered.
        """

    def close(self) -> None:
        """Free what was loaded; it loads again when it is needed."""


class Asker(Generic[R, V]):
    """Gives one stage what it asks for.

    Args:
        stage: Stage name.
        store: File of the store.
        kind: What is asked for.
        source: Who answers what is not known yet.
        read: Keys and values that a previous output of the stage holds; raises ArtifactError
            where it is not usable. None where outputs hold no such things.
    """

    def __init__(
        self,
        stage: str,
        store: Path,
        kind: Kind[V],
        source: Source[R, V],
        read: Callable[[Path], Iterable[tuple[str, V]]] | None = None,
    ) -> None:
        self._stage, self._kind, self._source, self._read = stage, kind, source, read
        self._store = Store(store, kind)

    def ask(self, wanted: Mapping[str, R], what: str) -> dict[str, V]:
        """Answers by key, without those that are not to be had.

        Args:
            wanted: Requests by key.
            what: Plural name of what is asked for, for messages.

        Raises:
            EngineError: The source broke. What is finished is in the store.
            KeyboardInterrupt: Passed on, after a message that says how to go on.
        """
        done = self._store.get(wanted)
        if len(done) < len(wanted) and self._import_previous():
            done |= self._store.get(key for key in wanted if key not in done)
        missing = {key: request for key, request in wanted.items() if key not in done}
        log.info(
            "%s: %s: %d wanted, %d finished, %d to send",
            self._stage, what, len(wanted), len(done), len(missing),
        )  # fmt: skip
        if not missing:
            return done
        sent = 0

        def state() -> str:
            return f"{self._stage}: {sent} of {len(missing)} {what} are finished and stored"

        try:
            with (
                progress(f"{self._stage}: {what}", len(missing), what) as advance,
                closing(self._source.answer(missing, state)) as answers,
            ):
                for key, value in answers:
                    if value is not None:
                        self._store.add(key, value)
                        done[key] = value
                    sent += 1
                    advance(0 if value is None else self._kind.tokens(value))
        except (EngineError, KeyboardInterrupt):
            log.warning("%s: run the same command again for the rest", state())
            log.debug("where it stopped", exc_info=True)
            raise
        return done

    def finished(self, keys: Collection[str]) -> set[str]:
        """Those of some keys whose answers are known: in the store, or in a previous output."""
        known = set(self._store.get(keys))
        if self._read is None or len(known) == len(keys):
            return known
        for path in previous.outputs(self._stage):
            with suppress(ArtifactError):  # the stage will not use it either
                known |= {key for key, _ in self._read(path) if key in keys}
        return known

    def _import_previous(self) -> bool:
        """Put what the stage's previous outputs hold into the store, once; whether it was done."""
        if self._read is None:
            return False
        read, self._read = self._read, None
        for path in previous.outputs(self._stage):
            try:
                known = list(read(path))
            except ArtifactError as error:
                log.warning("%s: previous output not used: %s", self._stage, error)
                continue
            self._store.add_all(known)
            log.info(
                "%s: %d %s from its previous output", self._stage, len(known), self._kind.table
            )
        return True

    def close(self) -> None:
        """Free the source and close the store."""
        self._source.close()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

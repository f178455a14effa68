"""The completion store: one SQLite file per model, outside every tool's outputs.

A completion is committed the moment it is finished, so a killed run costs only what was in flight,
and a power cut what finished in the second before. The store is a cache by request id: deleting it
loses time, never a result.
"""

from __future__ import annotations

import array
import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from userturn.base.errors import UserturnError
from userturn.engines.requests import Completion, End

log = logging.getLogger(__name__)

_TABLE = """
CREATE TABLE IF NOT EXISTS completions (
    id TEXT NOT NULL UNIQUE, tokens BLOB NOT NULL, ended TEXT NOT NULL, stop_id INTEGER
)
"""
_LOOKUP_CHUNK = 500  # SQLite limits the variables of one statement
_SYNC_SECONDS = 1.0  # between waits for the disk, each of which may take as long as a request


class CompletionStore:
    """Finished completions by request id.

    Opening heals what a crash left behind: SQLite rolls a torn write back by itself, and a file
    damaged beyond that (a power cut, a full disk) is set aside with its readable rows carried over.

    Args:
        path: The SQLite file; its folder is made.

    Raises:
        UserturnError: The file cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._synced = 0.0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = self._open()
        except (OSError, sqlite3.OperationalError) as error:
            raise UserturnError(
                f"{path}: the completion store cannot be opened ({error}); free space or mend the "
                "permissions, or set USERTURN_STORE to a folder that can be written"
            ) from None

    def get(self, ids: Iterable[str]) -> dict[str, Completion]:
        """Completions of those ids that are finished."""
        return {
            request_id: Completion(_unpack(tokens), cast(End, ended), stop_id)
            for request_id, tokens, ended, stop_id in self._rows(ids)
        }

    def get_bytes(self, ids: Iterable[str]) -> dict[str, bytes]:
        """What `add_bytes` committed under those ids."""
        return {request_id: content for request_id, content, *_ in self._rows(ids)}

    def add(self, request_id: str, completion: Completion) -> None:
        """Commit one finished completion; one that is already there stays as it is.

        Raises:
            UserturnError: The disk is full or the file cannot be written.
        """
        self.add_all([(request_id, completion)])

    def add_all(self, completions: Iterable[tuple[str, Completion]]) -> None:
        """Commit several finished completions in one transaction. Raises as `add` does."""
        self._insert(
            (request_id, _pack(done.token_ids), done.end, done.stop_id)
            for request_id, done in completions
        )

    def add_bytes(self, results: Iterable[tuple[str, bytes]]) -> None:
        """Commit results that are no completions: replies of a judge, scores. Raises as `add`."""
        self._insert((request_id, content, "eos", None) for request_id, content in results)

    def _rows(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes, str, int | None]]:
        wanted = list(dict.fromkeys(ids))
        for start in range(0, len(wanted), _LOOKUP_CHUNK):
            chunk = wanted[start : start + _LOOKUP_CHUNK]
            marks = ",".join("?" * len(chunk))
            query = f"SELECT id, tokens, ended, stop_id FROM completions WHERE id IN ({marks})"  # noqa: S608
            yield from self._db.execute(query, chunk)

    def _insert(self, given: Iterable[tuple[str, bytes, str, int | None]]) -> None:
        rows = list(given)
        try:
            self._sync_now_and_then()
            with self._db:
                self._db.executemany("INSERT OR IGNORE INTO completions VALUES (?,?,?,?)", rows)
        except sqlite3.OperationalError as error:
            raise UserturnError(
                f"{self.path}: a completion cannot be stored ({error}); free space and run the "
                "same command again, what is finished stays finished"
            ) from None

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM completions").fetchone()[0])

    def close(self) -> None:
        """Close the file; every `add` was committed already."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _sync_now_and_then(self) -> None:
        """Let the next commit wait until it and all before it are on the disk, if it is time."""
        due = time.monotonic() - self._synced > _SYNC_SECONDS
        self._db.execute(f"PRAGMA synchronous={'FULL' if due else 'NORMAL'}")
        if due:
            self._synced = time.monotonic()

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.OperationalError:
            raise  # not damage: permissions, a lock, a full disk
        except sqlite3.DatabaseError as error:
            return self._heal(error)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=60)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
            db.execute(_TABLE)
            db.execute("SELECT id, tokens, ended, stop_id FROM completions LIMIT 1")
        except BaseException:
            db.close()
            raise
        return db

    def _heal(self, damage: sqlite3.DatabaseError) -> sqlite3.Connection:
        number = 1
        while (aside := self.path.with_suffix(f".damaged-{number}")).exists():
            number += 1
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{self.path}{suffix}").rename(f"{aside}{suffix}")
        db = self._connect()
        with db:
            db.executemany("INSERT OR IGNORE INTO completions VALUES (?,?,?,?)", _readable(aside))
        kept = db.execute("SELECT count(*) FROM completions").fetchone()[0]
        log.warning(
            "%s was damaged (%s): %d completions saved, the damaged file kept as %s",
            self.path, damage, kept, aside.name,
        )  # fmt: skip
        return db


def _readable(path: Path) -> Iterator[tuple[str, bytes, str, int | None]]:
    """Rows of a damaged store that can still be read, forwards and then backwards."""
    _pad(path)
    for order in ("ASC", "DESC"):
        query = f"SELECT id, tokens, ended, stop_id FROM completions ORDER BY rowid {order}"  # noqa: S608
        with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path)) as db:
            for row in db.execute(query):
                if isinstance(row[0], str) and row[2] in ("eos", "stop_token", "length"):
                    yield row


def _pad(path: Path) -> None:
    """Extend a truncated database with zeros: SQLite reads nothing of a file that is too short."""
    with path.open("r+b") as handle:
        header = handle.read(100)
        if header.startswith(b"SQLite format 3\0"):
            page_size = int.from_bytes(header[16:18], "big")
            size = (65536 if page_size == 1 else page_size) * int.from_bytes(header[28:32], "big")
            handle.truncate(max(size, path.stat().st_size))


def _pack(ids: tuple[int, ...]) -> bytes:
    return array.array("i", ids).tobytes()


def _unpack(blob: bytes) -> tuple[int, ...]:
    ids = array.array("i")
    ids.frombytes(blob)
    return tuple(ids)

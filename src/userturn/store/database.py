"""The store: SQLite files outside every tool's outputs, in which what was asked once is kept.

A result is committed the moment it is here, so a killed run costs only what was in flight, and a
power cut what finished in the second before. Every row carries a digest of itself: one that does
not match, for a byte of it flipped on the disk, is made again. The store is a cache by id:
deleting it loses time, never a result.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from userturn.base.errors import UserturnError
from userturn.store.kinds import EARLIER_TABLE, Kind

log = logging.getLogger(__name__)

V = TypeVar("V")

_LOOKUP_CHUNK = 500  # SQLite limits the variables of one statement
_SYNC_SECONDS = 1.0  # between waits for the disk, each of which may take as long as a request


class Store(Generic[V]):
    """Finished things of one kind by id.

    Opening heals what a crash left behind: SQLite rolls a torn write back by itself, and a file
    damaged beyond that (a power cut, a full disk) is set aside with its readable rows carried over.

    Args:
        path: The SQLite file; its folder is made.
        kind: What it holds.

    Raises:
        UserturnError: The file cannot be opened or written.
    """

    def __init__(self, path: Path, kind: Kind[V]) -> None:
        self.path, self._kind = path, kind
        self._columns = ", ".join(("id", *kind.columns, "digest"))
        marks = ", ".join("?" * (len(kind.columns) + 2))
        self._insert = f"INSERT OR IGNORE INTO {kind.table} ({self._columns}) VALUES ({marks})"  # noqa: S608
        self._synced = 0.0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = self._open()
        except (OSError, sqlite3.OperationalError) as error:
            raise UserturnError(
                f"{path}: the store cannot be opened ({error}); free space or mend the "
                "permissions, or set USERTURN_STORE to a folder that can be written"
            ) from None

    def get(self, ids: Iterable[str]) -> dict[str, V]:
        """The finished things of those ids; damaged ones are said, and deleted to be made again."""
        wanted = list(dict.fromkeys(ids))
        whole: dict[str, V] = {}
        damaged: list[str] = []
        for start in range(0, len(wanted), _LOOKUP_CHUNK):
            chunk = wanted[start : start + _LOOKUP_CHUNK]
            marks = ",".join("?" * len(chunk))
            query = f"SELECT {self._columns} FROM {self._kind.table} WHERE id IN ({marks})"  # noqa: S608
            for key, *cells, digest in self._db.execute(query, chunk):
                if digest == _digest(key, *cells):
                    whole[key] = self._kind.read(*cells)
                else:
                    damaged.append(key)
        if damaged:
            log.warning(
                "%s: %d of %d %s do not match their checksums and are made again",
                self.path, len(damaged), len(wanted), self._kind.table,
            )  # fmt: skip
            self._write(f"DELETE FROM {self._kind.table} WHERE id = ?", [(k,) for k in damaged])  # noqa: S608
        return whole

    def add(self, key: str, value: V) -> None:
        """Commit one finished thing; one that is already there stays as it is.

        Raises:
            UserturnError: The disk is full or the file cannot be written.
        """
        self.add_all([(key, value)])

    def add_all(self, values: Iterable[tuple[str, V]]) -> None:
        """Commit several finished things in one transaction. Raises as `add` does."""
        rows = ((key, *self._kind.cells(value)) for key, value in values)
        self._write(self._insert, [(*row, _digest(*row)) for row in rows])

    def __len__(self) -> int:
        return int(self._db.execute(f"SELECT count(*) FROM {self._kind.table}").fetchone()[0])  # noqa: S608

    def close(self) -> None:
        """Close the file; every `add` was committed already."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        try:
            self._sync_now_and_then()
            with self._db:
                self._db.executemany(statement, rows)
        except sqlite3.OperationalError as error:
            raise UserturnError(
                f"{self.path}: {self._kind.table} cannot be stored ({error}); free space and run "
                "the same command again, what is finished stays finished"
            ) from None

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
            self._make_table(db)
            db.execute(f"SELECT {self._columns} FROM {self._kind.table} LIMIT 1")  # noqa: S608
        except BaseException:
            db.close()
            raise
        return db

    def _make_table(self, db: sqlite3.Connection) -> None:
        """Make the table where there is none, out of a store from before there were kinds."""
        if _has_digests(db, self._kind.table):
            return
        db.create_function("digest", -1, _digest, deterministic=True)
        with db:
            db.execute("BEGIN IMMEDIATE")
            if _has_digests(db, self._kind.table):  # another process was faster
                return
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
            earlier = self._kind.earlier if EARLIER_TABLE in tables else None
            if earlier:
                db.execute(f"ALTER TABLE {EARLIER_TABLE} RENAME TO earlier")
            columns = "".join(f", {name} {sql}" for name, sql in self._kind.columns.items())
            db.execute(
                f"CREATE TABLE {self._kind.table} (id TEXT NOT NULL UNIQUE{columns}, digest BLOB)"
            )
            if earlier:
                db.execute(
                    f"INSERT INTO {self._kind.table} "  # noqa: S608
                    f"SELECT id, {earlier}, digest(id, {earlier}) FROM earlier"
                )
                db.execute("DROP TABLE earlier")

    def _heal(self, damage: sqlite3.DatabaseError) -> sqlite3.Connection:
        number = 1
        while (aside := self.path.with_suffix(f".damaged-{number}")).exists():
            number += 1
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{self.path}{suffix}").rename(f"{aside}{suffix}")
        db = self._connect()
        with db:
            db.executemany(self._insert, self._readable(aside))
        kept = db.execute(f"SELECT count(*) FROM {self._kind.table}").fetchone()[0]  # noqa: S608
        log.warning(
            "%s was damaged (%s): %d %s saved, the damaged file kept as %s",
            self.path, damage, kept, self._kind.table, aside.name,
        )  # fmt: skip
        return db

    def _readable(self, path: Path) -> Iterator[tuple[Any, ...]]:
        """Whole rows of a damaged store that can still be read, forwards and then backwards."""
        _pad(path)
        queries = {f"SELECT {self._columns} FROM {self._kind.table}": True}  # noqa: S608
        if self._kind.earlier:
            sound = "ended IN ('eos', 'stop_token', 'length')"
            query = f"SELECT id, {self._kind.earlier} FROM {EARLIER_TABLE} WHERE {sound}"  # noqa: S608
            queries[query] = False
        for query, has_digests in queries.items():
            for order in ("ASC", "DESC"):
                with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path)) as db:
                    for row in db.execute(f"{query} ORDER BY rowid {order}"):
                        if not has_digests:
                            yield *row, _digest(*row)
                        elif row[-1] == _digest(*row[:-1]):
                            yield row


def _has_digests(db: sqlite3.Connection, table: str) -> bool:
    return any(column[1] == "digest" for column in db.execute(f"PRAGMA table_info({table})"))


def _digest(*cells: Any) -> bytes:
    """Eight bytes that a row, its id included, is known by."""
    digest = hashlib.blake2b(digest_size=8)
    for cell in cells:
        digest.update(cell if isinstance(cell, bytes) else repr(cell).encode())
    return digest.digest()


def _pad(path: Path) -> None:
    """Extend a truncated database with zeros: SQLite reads nothing of a file that is too short."""
    with path.open("r+b") as handle:
        header = handle.read(100)
        if header.startswith(b"SQLite format 3\0"):
            page_size = int.from_bytes(header[16:18], "big")
            size = (65536 if page_size == 1 else page_size) * int.from_bytes(header[28:32], "big")
            handle.truncate(max(size, path.stat().st_size))

"""What a judge has cost, counted where every job that asks it can see it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

_CHARGED = "CREATE TABLE IF NOT EXISTS charged (tokens INTEGER NOT NULL)"


class Ledger:
    """Tokens that a judge has cost: one SQLite file, shared by all jobs that ask this judge.

    Args:
        path: The file; its folder is made.
        limit: Tokens that reservations and charges together may reach.
    """

    def __init__(self, path: Path, limit: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.limit = limit
        self._db = sqlite3.connect(path, timeout=60, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(_CHARGED)
        self._db.execute("INSERT INTO charged SELECT 0 WHERE NOT EXISTS (SELECT * FROM charged)")

    @property
    def spent(self) -> int:
        """Tokens charged, and reserved for what is in flight."""
        return int(self._db.execute("SELECT tokens FROM charged").fetchone()[0])

    def reserve(self, tokens: int) -> bool:
        """Count tokens that are going to be spent, unless the limit is in the way."""
        done = self._db.execute(
            "UPDATE charged SET tokens = tokens + ?1 WHERE tokens + ?1 <= ?2", (tokens, self.limit)
        )
        return done.rowcount == 1

    def settle(self, reserved: int, tokens: int) -> None:
        """Replace a reservation by what was charged."""
        self._db.execute("UPDATE charged SET tokens = tokens + ?", (tokens - reserved,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

"""Hashes of files, each worked out once: models have hundreds of gigabytes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from userturn.base import files, paths
from userturn.models.fetched import file_sha256, sha256

SETTLED_S = 2.0
"""Age from which a file's time tells its content: edits within one tick of the clock do not."""


class Hashes:
    """Hashes of files, kept by size and time, so that big folders are not read again."""

    def __init__(self) -> None:
        self._path = paths.cache() / "fingerprints.json"
        try:
            self._known: dict[str, Any] = dict(json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            self._known = {}
        self._new = False

    def of(self, path: Path) -> str | None:
        """Hash of a file or folder as `fetched.sha256` gives it; None where it cannot be read."""
        try:
            return sha256(path, self._file)
        except OSError:
            return None

    def knows(self, path: Path) -> bool:
        """Whether `of` need not read the file."""
        return self._remembered(path) is not None

    def _remembered(self, path: Path) -> str | None:
        match self._known.get(str(path.resolve())):
            case [*known, str(digest)] if known == _stamp(path):
                return digest
        return None

    def _file(self, path: Path) -> str:
        if digest := self._remembered(path):
            return digest
        stamp, changed = _stamp(path), path.stat().st_mtime
        digest = file_sha256(path)
        if time.time() - changed > SETTLED_S:
            self._known[str(path.resolve())] = [*stamp, digest]
            self._new = True
        return digest

    def keep(self) -> None:
        """Write down what is new; a folder that cannot be written only costs the time."""
        if not self._new:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            files.write_text(self._path, json.dumps(self._known))
        except OSError:
            pass


def _stamp(path: Path) -> list[int]:
    facts = path.stat()
    return [facts.st_size, facts.st_mtime_ns, facts.st_ino]

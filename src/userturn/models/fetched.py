"""Bytes on this machine: named by what they are, and whole or not there."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Fetched:
    """Bytes on this machine, and a name for them that is the same on every machine.

    Attributes:
        path: The file or directory.
        identity: `sha256:<hash>` for files, `<repo>@<commit>` for the hub; no path, no time.
    """

    path: Path
    identity: str


def sha256(path: Path, of_file: Callable[[Path], str] | None = None) -> str:
    """Hash of a file; of a directory, the hash over its files' relative names and hashes.

    Hidden files are left out: download tools keep their own notes there.

    Args:
        path: File or directory.
        of_file: Gives the hash of one file; by default it is read.
    """
    of_file = of_file or file_sha256
    if path.is_dir():
        digest = hashlib.sha256()
        names = (file.relative_to(path) for file in path.rglob("*") if file.is_file())
        for name in sorted(names, key=lambda name: name.as_posix()):
            if not any(part.startswith(".") for part in name.parts):
                digest.update(json.dumps([name.as_posix(), of_file(path / name)]).encode())
        return digest.hexdigest()
    return of_file(path)


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextmanager
def partial_folder(target: Path) -> Iterator[Path]:
    """A folder that becomes `target` when the block ends well and vanishes when it does not.

    Where another process has made the same target meanwhile, that one stays.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=target.parent, prefix=f".{target.name[:16]}.", ignore_cleanup_errors=True
    ) as folder:
        made = Path(folder) / "made"
        made.mkdir()
        yield made
        try:
            made.rename(target)
        except OSError:
            if not target.is_dir():
                raise

"""Whether files of the hub's cache are those that the hub named.

The hub's client compares sizes alone. It keeps a file under the name that the hub gives its content
(ETag): the sha256 of a large file, the id of a git blob for a small one; a file in a snapshot is a
link to it. So both can be checked here, without the network.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from userturn.base.errors import SourceError
from userturn.base.progress import progress
from userturn.models.hashes import Hashes

SHA256, GIT_BLOB = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")
READERS = 4
"""Files that are read at once: one reader is slower than most disks."""


def check(path: Path, name: str) -> None:
    """Compare a file or snapshot of the hub's cache with the hashes that the hub gave.

    A large file is read once, until its size or time changes. Files without such a name, as a
    mirror or a hand may put them there, are left alone.

    Args:
        path: File, or folder of files, of a snapshot.
        name: What it is, for the message.

    Raises:
        SourceError: A file is another one; it was removed, so that it is fetched anew.
    """
    named, hashes = list(_named(path)), Hashes()
    unread = sum(SHA256.fullmatch(etag) is not None and not hashes.knows(f) for f, etag in named)
    with (
        ThreadPoolExecutor(READERS) as readers,
        progress(f"{name}: large files compared with the hub's hashes", unread, "files") as advance,
    ):

        def digest(one: tuple[Path, str]) -> str | None:
            file, etag = one
            if not SHA256.fullmatch(etag):
                return _git_blob(file)
            known = hashes.knows(file)
            made = hashes.of(file)
            if not known:
                advance(0)
            return made

        digests = list(readers.map(digest, named))
    wrong = [(*one, other) for one, other in zip(named, digests, strict=True) if one[1] != other]
    hashes.keep()
    if not wrong:
        return
    for file, _, _ in wrong:
        file.resolve().unlink(missing_ok=True)
        file.unlink(missing_ok=True)
    file, etag, other = wrong[0]
    others = f", and {len(wrong) - 1} more files" if len(wrong) > 1 else ""
    raise SourceError(
        f"{name}: {file.name} is not the file that the hub names (expected {etag}, got {other})"
        f"{others}; removed here, so run the same command again to fetch it anew"
    )


def _named(path: Path) -> Iterator[tuple[Path, str]]:
    """Files with the hash that their name in the cache is."""
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_symlink() and file.exists():
            etag = Path(os.readlink(file)).name
            if SHA256.fullmatch(etag) or GIT_BLOB.fullmatch(etag):
                yield file, etag


def _git_blob(file: Path) -> str:
    content = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()

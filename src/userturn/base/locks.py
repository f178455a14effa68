"""Files that one process holds at a time; the kernel lets go when it ends, however it ends."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

log = logging.getLogger(__name__)

FOLDER = Path(".cache/locks")
"""In the clone, not in paths.cache(), which clones may share."""
POLL_S = 0.2


def take(path: Path) -> TextIO | None:
    """Hold a file, which then holds this process's id; None where another process has it.

    Args:
        path: The file; it and its folder are made.

    Returns:
        The open file. The lock lasts until it is closed.

    Raises:
        OSError: The file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("a", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    handle.truncate(0)
    handle.write(f"{os.getpid()}\n")
    handle.flush()
    return handle


def held(path: Path) -> bool:
    """Whether another process holds a file; neither waits nor writes."""
    try:
        with path.open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # there is none, or none that can be read
    return False


def stage_file(stage: str) -> Path:
    """The file that a stage holds while it runs."""
    return FOLDER / f"{stage}.lock"


@contextmanager
def alone(stage: str) -> Iterator[None]:
    """Run a stage by itself, waiting for one that outlived the tools that had started it.

    What that one has finished is in the store afterwards, so nothing is asked twice.
    """
    path = stage_file(stage)
    told = False
    while (handle := take(path)) is None:
        if not told:
            pid = path.read_text(encoding="utf-8").strip()
            log.warning("%s: waiting for process %s, which is at this stage already", stage, pid)
            told = True
        time.sleep(POLL_S)
    with handle:
        yield

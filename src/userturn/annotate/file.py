"""An annotator's file of labels, held by one process at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from userturn.base.errors import UserturnError
from userturn.judges.human import labels as human


@contextmanager
def held(annotator: str) -> Iterator[BinaryIO]:
    """An annotator's file, open for appending, unbuffered; no other process has it meanwhile.

    Raises:
        UserturnError: The name is no annotator's, or the file is in use.
    """
    path = human.file_of(annotator)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserturnError(
                f"{path}: annotator '{annotator}' is at work in another window; close that one, or "
                "choose another name"
            ) from None
        yield file

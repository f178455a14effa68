"""One more line in an annotator's file: on disk before anybody is told, or not there at all."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from typing import BinaryIO, Literal

from userturn.artifacts.labels import Label
from userturn.judges.human import labels as human


def append(
    file: BinaryIO, text: human.Text, label: Label | Literal["skip"] | None, seconds: float
) -> None:
    """Append a label, a skip, or None, which takes the last line on this text back.

    Args:
        file: An annotator's file, see `file.held`.
        text: The turn.
        label: What it is.
        seconds: From seeing the turn to the key.

    Raises:
        OSError: The line could not be written; the file is as it was.
    """
    line = human.Annotation(
        **text.model_dump(),
        label=label,
        seconds=round(seconds, 1),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    content = f"{line.model_dump_json()}\n".encode()
    end = file.seek(0, os.SEEK_END)
    try:
        if file.write(content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file.fileno())
    except OSError:
        file.truncate(end)
        raise

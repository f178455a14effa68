"""The turns of a finished study in formats of other tools: a module per format, found by its name.

A module that defines FORMAT is one more format. Each writes a folder: whole, or not at all.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from userturn.base import registry
from userturn.base.errors import UserturnError

if TYPE_CHECKING:
    from userturn.study.study import Study


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        meaning: What it writes, in one line.
        opened: What opens it, as a pattern of `folder`.
        write: Writes a study's turns into an empty folder; returns the number of turns.
    """

    meaning: str
    opened: str
    write: Callable[[Study, Path], int]


def names() -> tuple[str, ...]:
    """Names of the formats."""
    return registry.names("export")


def write(study: Study, name: str, folder: Path) -> str:
    """Write every turn of a study in one format.

    Args:
        study: A study whose stages have run up to `tables`.
        name: One of `names`.
        folder: A folder that does not exist, or is empty.

    Returns:
        A sentence that says what was written, and what opens it.

    Raises:
        UserturnError: The format is unknown, its library is missing, or the folder holds something.
        ArtifactError: An artifact is missing, corrupt, or from another study.
    """
    if name not in names():
        raise UserturnError(f"format '{name}': unknown; there are {', '.join(names())}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserturnError(f"{folder}: is there already; name a folder that is not")
    chosen: Format = registry.load("export", name, "FORMAT")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as made:
        partial = Path(made) / "whole"
        partial.mkdir()
        turns = chosen.write(study, partial)
        if folder.exists():
            folder.rmdir()
        shutil.move(partial, folder)
    return f"{folder}: {turns} turns; opened by {chosen.opened.format(folder=folder)}"

"""The one reader of prompts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from userturn.artifacts import files
from userturn.base import paths

if TYPE_CHECKING:
    import polars as pl


def read_prompts(slugs: Sequence[str]) -> pl.DataFrame:
    """Prompts of several datasets in one frame, columns as in `schemas.PROMPTS`.

    Raises:
        ArtifactError: An artifact is missing or damaged.
    """
    import polars as pl

    return pl.concat([files.read(paths.artifact("prompts", slug), "prompts") for slug in slugs])


def has_system(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether one of some rows with the column `earlier` begins with a system message."""
    return any(one["role"] == "system" for row in rows for one in row["earlier"] or ())

"""Judges of the study that were not asked, so that nobody misses their rows."""

from __future__ import annotations

from userturn.artifacts import provenance
from userturn.base import paths


def not_asked(slug: str, kind: str = "labels") -> dict[str, str]:
    """Judges without a row in an artifact that judges fill, each with why.

    Args:
        slug: A model; of kind `next_turns` a dataset.
        kind: Key of schemas.KEYS.

    Raises:
        ArtifactError: The artifact is missing or corrupt.
    """
    facts = provenance.read(paths.artifact(kind, slug)).get("judges", {})
    return {judge: one["not_asked"] for judge, one in facts.items() if "not_asked" in one}

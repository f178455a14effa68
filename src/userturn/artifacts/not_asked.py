"""Judges of the study that were not asked, so that nobody misses their rows."""

from __future__ import annotations

from userturn.artifacts import provenance
from userturn.base import paths


def not_asked(slug: str) -> dict[str, str]:
    """Judges without a row in a model's labels, each with why. Raises ArtifactError."""
    facts = provenance.read(paths.artifact("labels", slug)).get("judges", {})
    return {judge: one["not_asked"] for judge, one in facts.items() if "not_asked" in one}

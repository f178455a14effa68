"""Stage `tables`."""

from __future__ import annotations

from userturn import tables
from userturn.study.study import Study


def run(study: Study) -> None:
    """Write the tables of a study. Raises ArtifactError where what they are made of is unusable."""
    tables.build(study)

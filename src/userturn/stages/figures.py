"""Stage `figures`."""

from __future__ import annotations

from userturn import figures
from userturn.study.study import Study


def run(study: Study) -> None:
    """Write the figures of a study. Raises ArtifactError where a table is unusable."""
    figures.build(study)

"""The reference turns of a study, from all of its sets."""

from __future__ import annotations

from userturn.judges.calibration import conversations, labelled, made
from userturn.judges.calibration.reference import Reference
from userturn.study.study import Study


def read(study: Study) -> list[Reference]:
    """Turns of every set of `calibrate.sets`: those with labels by reading, then those made.

    Raises:
        SourceError: A file cannot be had, or is not what its entry says.
        PromptError: The prompts of gold turns cannot be read.
        StudyError: A path uses an environment variable that is not set.
    """
    readers = {"gold": labelled.gold, "read": labelled.read}
    turns: list[Reference] = []
    drawn = {}
    for slug in study.calibrate.sets:
        kind = study.reference[slug].kind
        if kind in readers:
            turns += readers[kind](study, slug)
        else:
            drawn[slug] = conversations.draw(study, slug)
    return turns + made.make(drawn, study.calibrate.folds)

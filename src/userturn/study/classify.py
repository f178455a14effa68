"""What is measured of a turn, and which judges label it: scorer, neutral answers, calibration."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from userturn.study.judges import LIKELIHOOD
from userturn.study.section import Section, Slug, Unique, field

SHIPPED_CALIBRATION: Final = "src/userturn/judges/likelihood/calibration.json"
FITTED_CALIBRATION: Final = "data/calibration/calibration.json"
CalibrationFile = Literal[
    "src/userturn/judges/likelihood/calibration.json", "data/calibration/calibration.json"
]
"""Files of what is fitted in the likelihood judge; whole paths, for DVC to depend on."""


class Ground(Section):
    """Likelihood measures."""

    scorer: Slug = field(
        str,
        "Model that gives log-probabilities; one of `models`.",
        otherwise="the first of models.probe",
    )
    neutral: Annotated[list[str], Field(min_length=1), Unique] = field(
        lambda: ["Okay."],
        "Answers that say nothing, which uptake compares the answer with.",
    )


class Likelihood(Section):
    """The likelihood judge; its rules in their order: `judges/likelihood/rules.py`."""

    calibration: CalibrationFile = field(
        SHIPPED_CALIBRATION,
        "What is fitted: the file of the package, or, for another scorer than its own, the one "
        "that stage `calibrate` of this study makes.",
    )
    origin: str = field(
        "benchmarks/README.md", "Where its worth was measured, printed beside every rate."
    )


class Classify(Section):
    """Judges and the label that counts."""

    judges: Annotated[list[Slug], Field(min_length=1), Unique] = field(
        lambda: [LIKELIHOOD], "Judges that label every turn: `likelihood`, and slugs of `judge`."
    )
    primary: Slug = field(
        LIKELIHOOD, "Judge of the headline rate and the figures; one of `judges`."
    )
    judge_model: Slug = field(
        str,
        "Model of all judges of type `local`, one of `models`.",
        otherwise="ground.scorer",
    )
    likelihood: Likelihood = field(Likelihood, "The likelihood judge.")


class Calibrate(Section):
    """Fit of the likelihood judge on turns with labels by reading, and its test on made ones."""

    sets: Annotated[list[Slug], Field(min_length=1), Unique] = field(
        lambda: ["own"], "Slugs of `reference`."
    )
    per_set: Annotated[int, Field(ge=2)] | None = field(
        40,
        "First n conversations of a seeded order of each set from which turns are made; null: all. "
        "Of sets of turns with labels by reading, all count.",
        "conversations",
    )
    folds: Annotated[int, Field(ge=2)] = field(
        5, "Folds of the cross-validation; a query is whole in one.", "folds"
    )

"""What is measured of a turn, and which judges label it: scorer, thresholds, calibration."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from userturn.study.judges import LIKELIHOOD
from userturn.study.section import Count, Section, Share, Slug, Unique, field

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
    swaps: Count = field(
        2, "Answers of other prompts that grounding G compares the answer with.", "answers"
    )
    others: Count = field(
        4, "Other conversations that relevance C compares the conversation with.", "conversations"
    )


class LikelihoodThresholds(Section):
    """The likelihood judge; its rules in their order: `judges/likelihood/rules.py`."""

    calibration: CalibrationFile = field(
        SHIPPED_CALIBRATION,
        "What is fitted: the file of the package, or, for another scorer than its own, the one "
        "that stage `calibrate` of this study makes.",
    )
    relevance: float = field(
        8.0, "Relevance C from which a mere statement goes on the answer.", "nats"
    )
    restatement: Annotated[float, Field(ge=0, le=1)] = field(
        0.75, "Overlap R with the query from which a turn restates it.", "share"
    )
    loop: Annotated[float, Field(ge=0, le=1)] = field(
        0.28, "Share of repeated 4-grams from which a turn is a loop.", "share"
    )
    generic_words: Annotated[int, Field(ge=0)] = field(
        12, "Longest turn that can be a mere closing.", "words"
    )
    origin: str = field(
        "benchmarks/README.md", "Where these numbers come from, printed beside every rate."
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
    likelihood: LikelihoodThresholds = field(
        LikelihoodThresholds, "The likelihood judge: what is fitted, and thresholds that are not."
    )


class Calibrate(Section):
    """Test and fit of the likelihood judge on turns with known labels."""

    sets: Annotated[list[Slug], Field(min_length=1), Unique] = field(
        lambda: ["own"], "Slugs of `reference`."
    )
    per_set: Annotated[int, Field(ge=2)] | None = field(
        80, "First n conversations of a seeded order of each set; null: all.", "conversations"
    )
    folds: Annotated[int, Field(ge=2)] = field(
        5, "Folds of the cross-validation; a conversation is whole in one.", "folds"
    )
    precision: Share = field(0.9, "Least precision of `followup` that the fit aims at.", "share")

"""What is fitted in the likelihood judge: its role-voice threshold, its classifier of follow-ups.

The classifier decides what the rules of `rules.py` leave open. It is a logistic regression on
the measures of `Evidence.inputs`, each centred and divided by its standard deviation, and on their
squares and products:

    p = 1 / (1 + exp(-(intercept + sum of weight * product of the term's measures)))

Products matter: relevance that comes with many words of the query is a query said again, and
relevance in the user's voice counts more. All of it stands in one JSON file, a line per term, so a
label can be worked out by hand. `judges/calibration/fit.py` makes such a file
on turns of known label.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from userturn.base.errors import ArtifactError
from userturn.judges.likelihood.evidence import Evidence
from userturn.study.classify import SHIPPED_CALIBRATION
from userturn.study.study import Study

SHIPPED = Path(__file__).with_name("calibration.json")
TIMES = " * "


class Scale(BaseModel):
    """Mean and standard deviation of a measure over the turns that the classifier was fitted on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: float
    sd: float = Field(gt=0)


class Calibration(BaseModel):
    """The fitted part of the likelihood judge.

    Attributes:
        role_voice: Role voice `V` below which a turn is the assistant speaking, nats per token.
        least: Least probability of a follow-up.
        intercept: Log-odds where every measure is at its mean.
        measures: Scale of each measure.
        weights: Weight of each term; a term is a measure, or two joined by ` * `.
        origin: On what it was fitted: `scorer`, `sets`, numbers of conversations and turns, and
            what else its maker knows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    role_voice: float
    least: float = Field(ge=0, le=1)
    intercept: float
    measures: dict[str, Scale]
    weights: dict[str, float]
    origin: dict[str, Any]

    def model_post_init(self, _: object) -> None:
        """Refuse a term whose measure has no scale."""
        for term in self.weights:
            if missing := set(term.split(TIMES)) - set(self.measures):
                raise ValueError(f"weights: '{term}' names {sorted(missing)}, not in `measures`")

    def probability(self, turn: Evidence) -> float:
        """Probability that a scored turn which the rules leave open is a follow-up."""
        inputs = turn.inputs()
        scaled = {name: (inputs[name] - by.mean) / by.sd for name, by in self.measures.items()}
        log_odds = self.intercept + math.fsum(
            weight * math.prod(scaled[name] for name in term.split(TIMES))
            for term, weight in self.weights.items()
        )
        return 1 / (1 + math.exp(-max(-700.0, min(700.0, log_odds))))

    def write(self, path: Path) -> None:
        """Write it as JSON, the same bytes for the same content."""
        text = json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")


def read(path: Path) -> Calibration:
    """Read a calibration.

    Raises:
        ArtifactError: The file is missing, or is no calibration.
    """
    try:
        return Calibration.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ArtifactError(f"{path}: does not exist; run `dvc repro calibrate`") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ArtifactError(
            f"{path}: is no calibration ({place}: {first['msg']}); run `dvc repro calibrate`"
        ) from None


def of_study(study: Study) -> Calibration:
    """The calibration that `classify.likelihood.calibration` names.

    The shipped one is found beside this module, so that a probe in any folder has it.
    """
    name = study.classify.likelihood.calibration
    return read(SHIPPED if name == SHIPPED_CALIBRATION else Path(name))

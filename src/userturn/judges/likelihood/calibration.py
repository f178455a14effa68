"""What is fitted in the likelihood judge: boosted trees that give each label its probability.

They decide what the rules of `rules.py` leave open. A label's score is where it starts, plus one
leaf of each of its trees; the softmax over labels makes probabilities of the scores. A turn is a
`followup` from a least probability on, else it has the likeliest other label.

All of it stands in one JSON file, a line per tree, so a label can be worked out by hand. Beside the
trees it holds how turns of known label were judged by fits that had not seen their prompt: what
rates are corrected with. `judges/calibration/fit.py` makes such a file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from userturn.artifacts.labels import Label
from userturn.base import files
from userturn.base.errors import ArtifactError
from userturn.study.classify import SHIPPED_CALIBRATION
from userturn.study.study import Study

SHIPPED = Path(__file__).with_name("calibration.json")


class _Fitted(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True
    )


class Split(_Fitted):
    """A question about one input: `then` where it is at most so much, `otherwise` where more."""

    input: str = Field(alias="if")
    at_most: float
    then: Tree
    otherwise: Tree = Field(alias="else")


Tree = Split | float
"""A question, or a leaf: what is added to the label's score."""


class HeldOut(_Fitted):
    """A turn with a label by reading, judged by a fit without its prompt.

    Attributes:
        set: Slug of its set.
        prompt: Id of its prompt or conversation, unique in the set.
        followup: Whether readers call it a follow-up.
        labelled: Whether the judge does.
        probability: The judge's probability of that.
        temperature: At which it was generated; None of a turn that a person wrote.
        condition: `base`, or a perturbation; None of a turn that a person wrote.
    """

    set: str
    prompt: str
    followup: bool
    labelled: bool
    probability: float = Field(ge=0, le=1)
    temperature: float | None
    condition: str | None


class Calibration(_Fitted):
    """The fitted part of the likelihood judge.

    Attributes:
        version: Of the form of this file and of the inputs.
        least: Least probability of a follow-up.
        start: Score from which each label starts.
        trees: Trees of each label.
        origin: On what it was fitted: `scorer`, `neutral`, `sets`, and numbers of turns.
        held_out: What it says of turns of known label that it was not fitted on.
    """

    version: Literal[2] = 2
    least: float = Field(ge=0, le=1)
    start: dict[Label, float]
    trees: dict[Label, list[Tree]]
    origin: dict[str, Any]
    held_out: list[HeldOut]

    def probabilities(self, inputs: Mapping[str, float]) -> dict[Label, float]:
        """Probability of each label that the trees know."""
        scores = {
            label: self.start[label] + math.fsum(_leaf(tree, inputs) for tree in trees)
            for label, trees in self.trees.items()
        }
        top = max(scores.values())
        odds = {label: math.exp(score - top) for label, score in scores.items()}
        total = math.fsum(odds.values())
        return {label: value / total for label, value in odds.items()}

    def decide(self, probabilities: Mapping[Label, float]) -> Label:
        """A follow-up where that is likely enough, else the likeliest other label."""
        others = {label: p for label, p in probabilities.items() if label is not Label.FOLLOWUP}
        if probabilities.get(Label.FOLLOWUP, 0.0) >= self.least or not others:
            return Label.FOLLOWUP
        return max(others, key=others.__getitem__)

    def write(self, path: Path) -> None:
        """Write it as JSON, a line per tree and turn, the same bytes for the same content."""
        whole = self.model_dump(mode="json", by_alias=True)
        trees = [
            f"  {json.dumps(label)}: {_lines(of_label, 4)}"
            for label, of_label in whole.pop("trees").items()
        ]
        held_out = whole.pop("held_out")
        parts = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in whole.items()]
        parts.append(' "trees": {\n' + ",\n".join(trees) + "\n }")
        parts.append(f' "held_out": {_lines(held_out, 2)}')
        files.write_text(path, "{\n" + ",\n".join(parts) + "\n}\n")


def _leaf(tree: Tree, inputs: Mapping[str, float]) -> float:
    while isinstance(tree, Split):
        tree = tree.then if inputs[tree.input] <= tree.at_most else tree.otherwise
    return tree


def _lines(values: list[Any], indent: int) -> str:
    """A JSON list with a line per value."""
    pad = " " * indent
    return "[\n" + ",\n".join(pad + json.dumps(value) for value in values) + f"\n{pad[1:]}]"


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

"""The likelihood judge: rules on the text, then trees over the measures. Pure.

What the rules leave open gets its label from the fitted trees (`calibration.py`). The reason of
such a label is the probability of a follow-up, and the words of the turn that the answer explains:
the evidence for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from userturn.artifacts.labels import Label
from userturn.judges.likelihood import inputs
from userturn.judges.likelihood.calibration import Calibration
from userturn.judges.likelihood.evidence import Evidence
from userturn.judges.likelihood.rules import rule

DIGITS = 4
"""Of a probability that is kept."""

NOT_SCORED = "not scored: no likelihoods for this turn"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge says of a turn.

    Attributes:
        label: The label; None where the rules leave it open and likelihoods are missing.
        probability: Of a follow-up: 1 or 0 by a rule; None where there is no label.
        reason: What gave the label, or why there is none.
    """

    label: Label | None
    probability: float | None
    reason: str


def judge(turn: Evidence, calibration: Calibration) -> Verdict:
    """Label one turn."""
    if ruled := rule(turn):
        label, reason = ruled
        return Verdict(label, float(label is Label.FOLLOWUP), reason)
    if not turn.scored:
        return Verdict(None, None, NOT_SCORED)
    return weigh(turn, inputs.inputs(turn), calibration)


def weigh(turn: Evidence, measures: dict[str, float], calibration: Calibration) -> Verdict:
    """Label a scored turn that no rule decides.

    Args:
        turn: The turn.
        measures: Its `inputs`.
        calibration: What is fitted.
    """
    probabilities = calibration.probabilities(measures)
    probability = probabilities.get(Label.FOLLOWUP, 0.0)
    words = inputs.explained(turn)
    explains = f"; the answer explains: {', '.join(words)}" if words else ""
    label = calibration.decide(probabilities)
    return Verdict(label, round(probability, DIGITS), f"p(followup) {probability:.2f}{explains}")

"""Fit of the likelihood judge to turns with labels by reading. Pure.

The classifier is multinomial gradient boosting with shallow trees: one tree per label and round,
each of two questions at most. A turn whose reader was not sure counts half. The rules of the judge
are not fitted; what they decide is not fitted on.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from userturn.artifacts.labels import Label
from userturn.judges.likelihood.calibration import Calibration, HeldOut, Split, Tree
from userturn.judges.likelihood.evidence import Evidence
from userturn.judges.likelihood.inputs import inputs
from userturn.judges.likelihood.judge import Verdict, judge, weigh
from userturn.judges.likelihood.rules import rule

LEAST = 0.65
"""Least probability of a follow-up: where the precision on turns that models wrote is about
0.8 (benchmarks/README.md)."""

SETTINGS: dict[str, Any] = {
    "n_estimators": 100,
    "learning_rate": 0.07,
    "max_depth": 2,
    "subsample": 0.7,
    "max_features": 0.3,
    "min_samples_leaf": 4,
    "random_state": 0,
}
"""Of the boosting. Trees of one question or of three levels, and 60 rounds, do about as well."""

BY_RULE = (Label.META, Label.EMPTY)
"""Labels that only rules give: they are too rare to be fitted."""

UNSURE = 0.5
"""Weight of a turn that another reader might label otherwise."""

DIGITS = 5
"""Decimals of a leaf, significant digits of a question: as many as matter."""


@dataclass(frozen=True)
class Example:
    """A turn of known label.

    Attributes:
        label: What it is.
        evidence: What the judge reads of it.
        fold: Fold of its query, whose turns are never on both sides of a split.
        source: What is held out together elsewhere, such as its set.
        read: Whether the label is by reading: of others, no fit knows.
        sure: Whether its reader was sure.
    """

    label: Label
    evidence: Evidence
    fold: int
    source: str
    read: bool
    sure: bool = True

    @cached_property
    def open(self) -> bool:
        """Whether it is scored and no rule decides it."""
        return self.evidence.scored and rule(self.evidence) is None

    @cached_property
    def inputs(self) -> dict[str, float]:
        """What the classifier weighs."""
        return inputs(self.evidence)

    def judged(self, calibration: Calibration) -> Verdict:
        """What the judge says of it."""
        if self.open:
            return weigh(self.evidence, self.inputs, calibration)
        return judge(self.evidence, calibration)


def fit(
    examples: Sequence[Example], origin: dict[str, Any], held_out: Sequence[HeldOut] = ()
) -> Calibration:
    """The judge fitted on the examples whose label is by reading.

    Args:
        examples: Turns of known label.
        origin: What the calibration says of its origin; numbers of turns are added.
        held_out: What it says of turns of known label that it was not fitted on.
    """
    read = [one for one in examples if one.read]
    used = [one for one in read if one.open]
    start, trees = _boosted(used)
    counts = {
        "turns": len(read),
        "left_by_rules": len(used),
        "followups": sum(one.label is Label.FOLLOWUP for one in read),
    }
    return Calibration(
        least=LEAST,
        start=start,
        trees=trees,
        origin={**origin, **counts},
        held_out=list(held_out),
    )


def cross_fitted(examples: Sequence[Example], within: Sequence[Hashable]) -> list[Verdict | None]:
    """What the judge says of each example when fitted on the examples of other `within` values.

    Args:
        examples: Turns of known label.
        within: Of each example, what is held out together: its fold, or its source.

    Returns:
        One per example; None where no example by reading is left to fit on.
    """
    verdicts: list[Verdict | None] = [None] * len(examples)
    everything = fit(examples, {})
    for value in sorted(set(within), key=str):
        inside = [number for number, other in enumerate(within) if other == value]
        outside = [one for one, other in zip(examples, within, strict=True) if other != value]
        if not any(one.read for one in outside):
            continue
        fitted = any(examples[number].read for number in inside)
        calibration = fit(outside, {}) if fitted else everything
        for number in inside:
            verdicts[number] = examples[number].judged(calibration)
    return verdicts


def _boosted(examples: Sequence[Example]) -> tuple[dict[Label, float], dict[Label, list[Tree]]]:
    """Where each label's score starts, and its trees; of one label alone there are no trees."""
    import numpy as np
    from sklearn.ensemble import GradientBoostingClassifier

    examples = [one for one in examples if one.label not in BY_RULE]
    labels = [label for label in Label if any(one.label is label for one in examples)]
    trees: dict[Label, list[Tree]] = {label: [] for label in labels or [Label.UNRELATED]}
    if len(labels) < 2:
        return dict.fromkeys(trees, 0.0), trees
    names = list(examples[0].inputs)
    table = np.array([[one.inputs[name] for name in names] for one in examples], dtype=np.float32)
    target = np.array([labels.index(one.label) for one in examples])
    weight = np.array([1.0 if one.sure else UNSURE for one in examples])
    model = GradientBoostingClassifier(**SETTINGS).fit(table, target, sample_weight=weight)
    # Of two labels only the second has trees.
    grown = labels if len(labels) > 2 else labels[1:]
    for stage in model.estimators_:
        for label, grower in zip(grown, stage, strict=True):
            trees[label].append(_tree(grower.tree_, names, SETTINGS["learning_rate"]))
    start = np.log(model.init_.class_prior_)
    return {label: round(float(of), DIGITS) for label, of in zip(labels, start, strict=True)}, trees


def _tree(grown: Any, names: Sequence[str], rate: float, node: int = 0) -> Tree:
    """A tree of the library from one of its nodes on."""
    if grown.children_left[node] < 0:
        return round(float(grown.value[node, 0, 0]) * rate, DIGITS)
    return Split(
        input=names[grown.feature[node]],
        at_most=float(f"{grown.threshold[node]:.{DIGITS + 1}g}"),
        then=_tree(grown, names, rate, grown.children_left[node]),
        otherwise=_tree(grown, names, rate, grown.children_right[node]),
    )

"""Fit of the likelihood judge to turns of known label. Pure.

Fitted are the threshold of role voice `V` and the classifier of follow-ups. The thresholds of
restatements, loops and closings are not: on turns made by rule they would learn the rule.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from userturn.artifacts.labels import Label
from userturn.judges.likelihood import rules as likelihood
from userturn.judges.likelihood.calibration import TIMES, Calibration, Scale
from userturn.judges.likelihood.evidence import Evidence
from userturn.study.classify import LikelihoodThresholds

if TYPE_CHECKING:
    from numpy.typing import NDArray

USER = (Label.FOLLOWUP, Label.UNRELATED, Label.RESTATEMENT)
"""Labels of turns that a user speaks."""

PENALTY = 0.1
"""Inverse strength of the L1 penalty: chosen by cross-validation between 0.05 and 0.5; it leaves
about two thirds of the terms (benchmarks/classifier.py)."""

DIGITS = 4
"""Significant digits of what is fitted: as many as matter, and equal on every machine."""


@dataclass(frozen=True, slots=True)
class Example:
    """A turn of known label.

    Attributes:
        label: What it is.
        evidence: What the judge reads of it.
        group: Number of the fold of its conversation, whose turns are never on both sides of a
            split.
    """

    label: Label
    evidence: Evidence
    group: int


@dataclass(frozen=True, slots=True)
class Judged:
    """What the judge says of an example.

    Attributes:
        label: Its label; None where it was not scored and no rule on the text gives one.
        probability: The classifier's, of a follow-up; None where it was not asked.
    """

    label: Label | None
    probability: float | None


def judged(
    examples: Sequence[Example], thresholds: LikelihoodThresholds, calibration: Calibration
) -> list[Judged]:
    """What the judge says of each example."""
    verdicts = []
    for one in examples:
        ruled = likelihood.rules(one.evidence, thresholds, calibration.role_voice)
        label = ruled[0] if ruled else likelihood.judge(one.evidence, thresholds, calibration)[0]
        verdicts.append(Judged(label, None if ruled else calibration.probability(one.evidence)))
    return verdicts


def fit(
    examples: Sequence[Example],
    thresholds: LikelihoodThresholds,
    precision: float,
    origin: dict[str, Any],
) -> Calibration:
    """Fit the threshold of `V`, the classifier, and its least probability.

    `V` splits user turns from assistant text with the best balanced accuracy. The classifier is
    fitted on what the rules then leave open. Its least probability is, by probabilities of every
    example fitted without its group, the one of most recall among those at which `followup` has
    the precision aimed at; where none has, the one of the best F1.

    Args:
        examples: Turns of known label.
        thresholds: Thresholds of the study.
        precision: Precision aimed at.
        origin: What the calibration says of its origin; numbers of turns are added.
    """
    import numpy as np

    scored = [e for e in examples if None not in (e.evidence.relevance, e.evidence.grounding)]
    voices: dict[bool, list[float]] = {True: [], False: []}
    for one in scored:
        if one.evidence.role_voice is not None:
            voices[one.label in USER].append(one.evidence.role_voice)
    role_voice = _rounded(best_cut(voices[True], voices[False], 0.0))
    left = [e for e in scored if likelihood.rules(e.evidence, thresholds, role_voice) is None]
    truth = np.array([one.label is Label.FOLLOWUP for one in left], dtype=bool)
    groups = np.array([one.group for one in left], dtype=int)
    probabilities = np.zeros(len(left))
    for inside in _splits(groups):
        model = classifier([e for e, x in zip(left, inside, strict=True) if not x], role_voice)
        probabilities[inside] = [
            model.probability(e.evidence) for e, x in zip(left, inside, strict=True) if x
        ]
    wanted = sum(one.label is Label.FOLLOWUP for one in examples)
    least = best_least(probabilities, truth, wanted, precision)
    counts = {"turns": len(examples), "left_by_rules": len(left), "followups": wanted}
    fitted = classifier(left, role_voice)
    return fitted.model_copy(update={"least": _rounded(least), "origin": {**origin, **counts}})


def cross_fitted(
    examples: Sequence[Example],
    within: Sequence[Hashable],
    thresholds: LikelihoodThresholds,
    precision: float,
) -> list[Judged | None]:
    """What the judge says of each example when fitted on the examples of other `within` values.

    Args:
        examples: Turns of known label; their own groups split what the inner fit is tested on.
        within: Of each example, what is held out together: its fold, or its set.
        thresholds: Thresholds of the study.
        precision: Precision aimed at.

    Returns:
        One per example; all None where there is only one value, and so nothing to fit on.
    """
    verdicts: dict[int, Judged] = {}
    for value in sorted(set(within), key=str):
        inside = [number for number, other in enumerate(within) if other == value]
        outside = [one for one, other in zip(examples, within, strict=True) if other != value]
        if outside:
            calibration = fit(outside, thresholds, precision, {})
            said = judged([examples[number] for number in inside], thresholds, calibration)
            verdicts |= dict(zip(inside, said, strict=True))
    return [verdicts.get(number) for number in range(len(examples))]


def best_cut(higher: Sequence[float], lower: Sequence[float], otherwise: float) -> float:
    """Threshold with the best balanced accuracy; `otherwise` where one side has no values."""
    import numpy as np

    if not higher or not lower:
        return otherwise
    values = np.unique([*higher, *lower])
    middles = (values[1:] + values[:-1]) / 2 if len(values) > 1 else values
    above = np.searchsorted(np.sort(higher), middles)
    below = np.searchsorted(np.sort(lower), middles)
    accuracy = 1 - above / len(higher) + below / len(lower)
    best = np.flatnonzero(accuracy == accuracy.max())
    return float(middles[best[len(best) // 2]])


def best_least(
    probabilities: NDArray[Any], truth: NDArray[Any], wanted: int, precision: float
) -> float:
    """Least probability with the most recall at a precision, or else with the best F1.

    Args:
        probabilities: Of each turn, to be a follow-up.
        truth: Whether it is one.
        wanted: Follow-ups in all, those included that never got a probability.
        precision: Least precision aimed at.

    Returns:
        A value halfway between two probabilities; 0.5 where there is no follow-up to find.
    """
    import numpy as np

    if not truth.any():
        return 0.5
    order = np.argsort(-probabilities, kind="stable")
    ranked, hits = probabilities[order], np.cumsum(truth[order])
    count = np.arange(1, len(ranked) + 1)
    last = np.append(ranked[1:] != ranked[:-1], True)  # equal values fall together
    reaches = last & (hits / count >= precision)
    merit = np.where(reaches, hits, 0) if reaches.any() else last * (2 * hits / (count + wanted))
    at = int(np.argmax(merit))
    below = ranked[at + 1] if at + 1 < len(ranked) else ranked[at]
    return float((ranked[at] + below) / 2)


def classifier(
    examples: Sequence[Example], role_voice: float, penalty: float = PENALTY
) -> Calibration:
    """A calibration whose classifier is fitted on these examples.

    Where they are all follow-ups, or none is, there is nothing to tell apart, and every turn gets
    their share, drawn towards one half by one turn of each kind.

    Args:
        examples: Scored turns that the rules leave open.
        role_voice: Threshold that goes into the calibration.
        penalty: Inverse strength of the L1 penalty.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    truth = np.array([one.label is Label.FOLLOWUP for one in examples], dtype=bool)
    empty = {"role_voice": role_voice, "least": 0.5, "origin": {}}
    if truth.all() or not truth.any():
        share = (truth.sum() + 1) / (len(truth) + 2)
        odds = _rounded(float(np.log(share / (1 - share))))
        return Calibration(**empty, intercept=odds, measures={}, weights={})
    inputs = [one.evidence.inputs() for one in examples]
    names = list(inputs[0])
    table = np.array([[row[name] for name in names] for row in inputs])
    # A measure that never varies tells nothing, and has no standard deviation to divide by.
    scales = {
        name: Scale(mean=_rounded(float(column.mean())), sd=_rounded(float(column.std())))
        for name, column in zip(names, table.T, strict=True)
        if column.std() > 1e-9
    }
    columns = {
        name: (table[:, names.index(name)] - scale.mean) / scale.sd
        for name, scale in scales.items()
    }
    terms = dict(_terms(columns))
    model = LogisticRegression(
        C=penalty,
        l1_ratio=1,
        solver="liblinear",
        intercept_scaling=10,  # liblinear penalises the intercept too, unless it is scaled up
        max_iter=2000,
        random_state=0,
    ).fit(np.column_stack(list(terms.values())), truth)
    fitted = dict(
        zip(terms, (round(float(weight), DIGITS) for weight in model.coef_[0]), strict=True)
    )
    weighty = sorted(filter(fitted.get, fitted), key=lambda term: -abs(fitted[term]))
    weights = {term: fitted[term] for term in weighty}
    intercept = _rounded(float(model.intercept_[0]))
    return Calibration(**empty, intercept=intercept, measures=scales, weights=weights)


def _terms(columns: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Measures, their squares and their products; a yes or no has no square of its own."""
    names = list(columns)
    yield from columns.items()
    for place, name in enumerate(names):
        for other in names[place:]:
            if name != other or len(set(columns[name])) > 2:
                yield f"{name}{TIMES}{other}", columns[name] * columns[other]


def _splits(groups: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """One mask per group."""
    for group in sorted(set(groups.tolist())):
        yield groups == group


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")

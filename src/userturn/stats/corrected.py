"""Follow-up rates corrected for a judge's errors by human labels; pure functions of arrays.

Two estimates that lean on different assumptions:

- Rogan-Gladen (American Journal of Epidemiology 107, 1978): the judge has one sensitivity and one
  specificity for all turns of a model, so human labels on any of them help everywhere.
- Prediction-powered inference (Angelopoulos et al., Science 382, 2023, arXiv:2301.09633; power
  tuning as in arXiv:2311.01453): no assumption about the judge, but only the labels in the group
  itself count.

The unit is the prompt, as in `intervals`: each counts the same, and its turns are clustered in it.
Variances are those of a jackknife that leaves out one prompt at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAST_PROMPTS = 10
"""Labelled prompts below which nothing is estimated."""


@dataclass(frozen=True, slots=True, eq=False)
class Turns:
    """Turns that a judge labelled, some of them also people; arrays of one length.

    Attributes:
        prompt: Index of the turn's prompt, from 0.
        judged: 1 where the judge says `followup`, else 0; 0 also where it gave no valid label.
        truth: Share of annotators who say `followup`; any number where nobody labelled.
        weight: Turns that a labelled turn stands for (`sample.weights`); 0 where nobody labelled.
    """

    prompt: NDArray[np.int64]
    judged: Floats
    truth: Floats
    weight: Floats

    def part(self, mask: NDArray[np.bool_]) -> Turns:
        """The turns of a mask."""
        return Turns(self.prompt[mask], self.judged[mask], self.truth[mask], self.weight[mask])

    def labelled(self) -> Turns:
        """The turns that people labelled."""
        return self.part(self.weight > 0)

    @property
    def labelled_prompts(self) -> int:
        """Prompts with a labelled turn."""
        return len(set(self.prompt[self.weight > 0].tolist()))


@dataclass(frozen=True, slots=True)
class Corrected:
    """A corrected rate.

    Attributes:
        estimate: Share of follow-ups; None where `note` says why there is none.
        low: Lower bound.
        high: Upper bound.
        note: `clamped` where the estimate left [0, 1] and was set to its end; why there is none.
    """

    estimate: float | None
    low: float | None
    high: float | None
    note: str = ""


FEW = Corrected(None, None, None, "too few labelled prompts")
CHANCE = Corrected(None, None, None, "the judge is no better than chance")


def rogan_gladen(turns: Turns, group: NDArray[np.bool_], confidence: float) -> Corrected:
    """`(p + Sp - 1) / (Se + Sp - 1)` with p of the group, Se and Sp of all turns of the model.

    Args:
        turns: All turns of a model that were open to be sampled.
        group: Mask of those whose rate is wanted.
        confidence: Coverage, such as 0.95.
    """
    import numpy as np

    sensitivity, specificity = error_rates(turns)
    if turns.labelled_prompts < LEAST_PROMPTS or sensitivity is None or specificity is None:
        return FEW
    if sensitivity + specificity <= 1:
        return CHANCE
    size = int(turns.prompt.max()) + 1
    sums = np.concatenate([_shares(turns.part(group), size), _tally(turns, size)])
    with np.errstate(invalid="ignore", divide="ignore"):  # without one prompt nothing may be left
        share, prompts, *tally = _with_and_without(sums)
        sensitivities, specificities = _error_rates(tally)
        values = (share / prompts + specificities - 1) / (sensitivities + specificities - 1)
    return _interval(values, turns, confidence)


def prediction_powered(turns: Turns, group: NDArray[np.bool_], confidence: float) -> Corrected:
    """The judge's rate plus the weighted mean of what it gets wrong, `truth - tuning * judged`.

    Any tuning factor is valid; the one in [0, 1] of least variance over all turns of the model is
    taken, because one fitted to the few labels of a group makes its interval too short. 0 leaves
    the human labels alone.

    Args:
        turns: All turns of a model that were open to be sampled.
        group: Mask of those whose rate is wanted.
        confidence: Coverage, such as 0.95.
    """
    import numpy as np

    own = turns.part(group)
    if own.labelled_prompts < LEAST_PROMPTS:
        return FEW
    human, gain = _human_and_gain(turns)
    (_, cross), (_, spread) = np.cov(human[1:], gain[1:])
    tuning = float(np.clip(-cross / spread, 0, 1)) if spread > 0 else 0.0
    human, gain = _human_and_gain(own)
    return _interval(human + tuning * gain, own, confidence)


def _human_and_gain(turns: Turns) -> tuple[Floats, Floats]:
    """Rate by human labels alone, and what the judge's rate over all turns adds to theirs.

    Each with its replicates without one prompt behind it.
    """
    import numpy as np

    size = int(turns.prompt.max()) + 1
    known = turns.labelled()
    # Every prompt counts the same, so a turn counts less where its prompt has many.
    weight = known.weight / np.bincount(turns.prompt, minlength=size)[known.prompt]
    weighted = [
        np.bincount(known.prompt, weight * values, size)
        for values in (known.truth, known.judged, np.ones_like(weight))
    ]
    sums = np.concatenate([_shares(turns, size), weighted])
    share, prompts, truth, judged, total = _with_and_without(sums)
    return truth / total, share / prompts - judged / total


def error_rates(turns: Turns) -> tuple[float | None, float | None]:
    """Sensitivity and specificity of the judge over all turns; None where labels do not tell.

    The labelled turns say how many of those that the judge calls follow-ups, and of the others,
    are follow-ups; how many there are of each is known of all turns.
    """
    import numpy as np

    size = int(turns.prompt.max()) + 1 if turns.prompt.size else 1
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = _error_rates(list(_tally(turns, size).sum(axis=1)))
    sensitivity, specificity = (float(x) if np.isfinite(x) else None for x in rates)
    return sensitivity, specificity


def _error_rates(tally: list[Floats]) -> tuple[Floats, Floats]:
    judged, turns, true_yes, yes, true_no, no = tally
    share = judged / turns
    caught, missed = share * true_yes / yes, (1 - share) * true_no / no
    return caught / (caught + missed), 1 - (share - caught) / (1 - caught - missed)


def _tally(turns: Turns, size: int) -> Floats:
    """Per prompt: turns judged yes, turns; then, of those judged yes and no, truth and weight."""
    import numpy as np

    known = turns.labelled()
    w, h, f = known.weight, known.truth, known.judged
    return np.array(
        [
            np.bincount(turns.prompt, turns.judged, size),
            np.bincount(turns.prompt, minlength=size),
            *(np.bincount(known.prompt, x, size) for x in (w * f * h, w * f)),
            *(np.bincount(known.prompt, x, size) for x in (w * (1 - f) * h, w * (1 - f))),
        ]
    )


def _shares(turns: Turns, size: int) -> Floats:
    """Per prompt: share of its turns judged yes, and 1 if it has turns."""
    import numpy as np

    count = np.bincount(turns.prompt, minlength=size)
    judged = np.bincount(turns.prompt, turns.judged, size)
    return np.array([judged / np.maximum(count, 1), count > 0])


def _with_and_without(sums: Floats) -> list[Floats]:
    """Totals over the prompts, then the totals without each of them."""
    import numpy as np

    total = sums.sum(axis=1, keepdims=True)
    without = (total - sums)[:, sums.any(axis=0)]
    return list(np.concatenate([total, without], axis=1))


def _interval(values: Floats, turns: Turns, confidence: float) -> Corrected:
    """Interval from an estimate and its jackknife replicates, which follow it.

    Wilson's interval of as many independent turns as have the same variance: near 0 and 1, and with
    few labels, symmetric bounds miss too often (Dean and Pagano 2015, doi:10.1093/jssam/smv024).
    The quantile is Student's, since few labels know the variance badly, and fewer still where their
    weights differ (Kish's effective number).
    """
    import numpy as np
    from scipy import stats
    from statsmodels.stats.proportion import proportion_confint

    if not np.isfinite(values).all():
        return FEW
    estimate = min(1.0, max(0.0, float(values[0])))
    variance = float((values.size - 2) * values[1:].var())
    least = 0.5 / turns.labelled_prompts  # an estimate of 0 has no variance of its own
    spread = max(least, min(1 - least, estimate))
    size = spread * (1 - spread) / variance if variance > 0 else turns.labelled_prompts
    weight = turns.weight
    effective = min(weight.sum() ** 2 / (weight @ weight), turns.labelled_prompts)
    quantile = stats.t.ppf((1 + confidence) / 2, max(effective - 1, 1))
    low, high = proportion_confint(
        estimate * size, size, alpha=2 * stats.norm.sf(quantile), method="wilson"
    )
    note = "" if estimate == values[0] else "clamped"
    # Wilson's bounds end where the estimate does, but for rounding.
    return Corrected(
        estimate, float(low) if estimate else 0, float(high) if estimate < 1 else 1, note
    )

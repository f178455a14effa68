"""How many follow-ups there are, from what a judge says of turns: counts adjusted for its errors.

A judge that is fitted gives a probability, and its errors are known from held-out turns: turns with
a label by reading, judged by a fit that had not seen their prompt. Three estimates (for all of them
González et al. 2017, A Review on Quantification Learning, doi:10.1145/3117807):

- `expected`: the mean probability, recalibrated on the held-out turns: a logistic regression of
  what readers say on the log-odds that the judge gives (Platt 1999), because a judge fitted on
  several populations is right on average over them, and on none. It assumes that a probability
  means the same here as there. How far that fails from one setting (condition and temperature) to
  the next is seen on the held-out turns, and is part of the interval.
- `rogan_gladen`: the count of labels, set right by the judge's sensitivity and specificity on the
  held-out turns (American Journal of Epidemiology 107, 1978). It assumes that both are the same
  everywhere.
- `probabilistic`: the same of mean probabilities: `(m - f) / (t - f)`, with t and f the mean
  probability of held-out follow-ups and of the others.

Settings of the turns that this was tried on differ in sensitivity by a factor of two, so that the
last two are off by up to ten points where `expected` is off by three. They are right, and
`expected` is wrong (it stays near the share among the held-out turns), where follow-ups are
rarer or more frequent and otherwise look the same. Pure functions of arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal

from userturn.stats.corrected import CHANCE, FEW, LEAST_PROMPTS, Corrected

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

EDGE = 1e-4
"""Probabilities nearer to 0 and 1 count as this near: the judge writes few digits."""
LEAST_TURNS = 5
"""Held-out follow-ups, and others, below which nothing is adjusted."""
DRAWN = 5_000_000
"""Numbers that resamples draw at once."""
Said = Literal["labelled", "probability"]
"""What a judge says of a turn: an attribute of `Judged`."""
NO_TURNS = Corrected(None, None, None, "no turn with a probability")


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Turns that a judge labelled; arrays of one length.

    Attributes:
        prompt: Index of the turn's prompt, from 0.
        labelled: 1 where the judge says `followup`, else 0.
        probability: Its probability of that.
    """

    prompt: NDArray[np.int64]
    labelled: Floats
    probability: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Recalibration:
    """A logistic regression of what readers say on the judge's log-odds.

    Attributes:
        weights: Intercept and slope.
        covariance: Of the weights, robust to prompts that have several turns.
    """

    weights: Floats
    covariance: Floats

    def __call__(self, probability: Floats) -> Floats:
        """Recalibrated probabilities; 0 and 1, which rules give, stay what they are."""
        import numpy as np
        from scipy.special import expit

        q: Floats = np.where(
            _open(probability), expit(_terms(probability) @ self.weights), probability
        )
        return q

    def variance(self, probability: Floats, share: Floats) -> float:
        """Variance that the weights' errors give a weighted sum of recalibrated probabilities.

        Args:
            probability: The judge's probabilities.
            share: Weight of each.
        """
        q = self(probability)
        gradient = (share * q * (1 - q)) @ _terms(probability)
        return float(gradient @ self.covariance @ gradient)


@dataclass(frozen=True, eq=False)
class Known:
    """Held-out turns.

    Attributes:
        judged: What the judge says of them.
        followup: 1 where readers say `followup`, else 0.
        setting: Index of the condition and temperature of each.
    """

    judged: Judged
    followup: Floats
    setting: NDArray[np.int64]

    @property
    def prompts(self) -> int:
        """Prompts of the turns."""
        return len(set(self.judged.prompt.tolist()))

    @property
    def few(self) -> bool:
        """Whether the turns are too few to adjust anything with."""
        sides = self.followup.sum(), (1 - self.followup).sum()
        return self.prompts < LEAST_PROMPTS or min(sides) < LEAST_TURNS

    @cached_property
    def recalibration(self) -> Recalibration:
        """What its probabilities mean among these turns."""
        import warnings

        import numpy as np
        import statsmodels.api as sm

        left = _open(self.judged.probability)
        if not left.any():
            return Recalibration(np.array([0.0, 1.0]), np.zeros((2, 2)))
        probability, followup = self.judged.probability[left], self.followup[left]
        # Two turns of one half each, so that weights stay finite where readers follow the judge.
        terms = np.vstack([_terms(probability), [[1, -1], [1, 1]]])
        truth = np.append(followup, [0.5, 0.5])
        prompts = self.judged.prompt[left]
        own = prompts.max(initial=0) + 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit = sm.GLM(truth, terms, family=sm.families.Binomial()).fit(
                cov_type="cluster", cov_kwds={"groups": np.append(prompts, [own, own + 1])}
            )
        return Recalibration(np.asarray(fit.params), np.asarray(fit.cov_params()))

    @cached_property
    def between(self) -> float:
        """Root mean square, over settings, of the share of follow-ups less mean probability.

        Chance is not taken off: a setting of few turns counts as far off, so it is rather too high.
        """
        import numpy as np

        error = self.followup - self.recalibration(self.judged.probability)
        count = np.bincount(self.setting)
        means = np.bincount(self.setting, error)[count > 0] / count[count > 0]
        return float(np.sqrt((means**2).mean()))


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are made.

    Attributes:
        confidence: Coverage, such as 0.95.
        resamples: Bootstrap resamples; `expected` needs none.
        seed: Seed of the resampling.
    """

    confidence: float
    resamples: int
    seed: int


def expected(turns: Judged, known: Known, how: Resampling) -> Corrected:
    """Mean over prompts of the mean recalibrated probability of their turns.

    Its variance is that over the prompts of both, which a bootstrap would give as well, and that
    between settings. Wilson's interval of as many independent turns as have the same variance.
    """
    import numpy as np
    from statsmodels.stats.proportion import proportion_confint

    if not turns.prompt.size:
        return NO_TURNS
    if known.few:
        return FEW
    recalibration = known.recalibration
    means = _by_prompt(turns.prompt, recalibration(turns.probability))
    estimate, prompts = float(means.mean()), means.size
    spread = max(0.5 / prompts, min(1 - 0.5 / prompts, estimate))
    # One prompt has no variance of its own: it gets the largest that its mean allows.
    sampling = float(means.var(ddof=1)) if prompts > 1 else spread * (1 - spread)
    share = 1 / np.bincount(turns.prompt)[turns.prompt] / prompts
    of_weights = recalibration.variance(turns.probability, share)
    variance = sampling / prompts + of_weights + known.between**2
    size = spread * (1 - spread) / variance if variance > 0 else prompts
    low, high = proportion_confint(estimate * size, size, alpha=1 - how.confidence, method="wilson")
    return Corrected(estimate, min(float(low), estimate), max(float(high), estimate))


def rogan_gladen(turns: Judged, known: Known, how: Resampling) -> Corrected:
    """`(share - f) / (t - f)`, t and f the shares of follow-ups and others labelled so."""
    return _adjusted("labelled", turns, known, how)


def probabilistic(turns: Judged, known: Known, how: Resampling) -> Corrected:
    """The same of mean probabilities."""
    return _adjusted("probability", turns, known, how)


def _adjusted(said: Said, turns: Judged, known: Known, how: Resampling) -> Corrected:
    """Percentile bootstrap over the prompts of both, all of a prompt's turns together."""
    import numpy as np

    if not turns.prompt.size:
        return NO_TURNS
    if known.few:
        return FEW
    shares = _means(_by_prompt(turns.prompt, getattr(turns, said)), how.resamples, how.seed)
    true, false = _errors(said, known, how)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(true > false, (shares - false) / (true - false), np.nan)
    if not np.isfinite(values[0]):
        return CHANCE
    inside = np.clip(values[np.isfinite(values)], 0, 1)
    tail = (1 - how.confidence) / 2
    low, high = np.quantile(inside[1:], [tail, 1 - tail])
    estimate = float(inside[0])
    note = "" if estimate == values[0] else "clamped"
    return Corrected(estimate, min(float(low), estimate), max(float(high), estimate), note)


def _open(probability: Floats) -> NDArray[np.bool_]:
    """Where the classifier decides, not a rule."""
    return (probability > 0) & (probability < 1)


def _terms(probability: Floats) -> Floats:
    """A constant, and the log-odds within EDGE."""
    import numpy as np
    from scipy.special import logit

    odds = logit(np.clip(probability, EDGE, 1 - EDGE))
    return np.column_stack([np.ones_like(odds), odds])


def _by_prompt(prompt: NDArray[np.int64], values: Floats) -> Floats:
    """Mean of each prompt that has turns."""
    import numpy as np

    count = np.bincount(prompt)
    means: Floats = np.bincount(prompt, values)[count > 0] / count[count > 0]
    return means


@lru_cache(maxsize=4)
def _errors(said: Said, known: Known, how: Resampling) -> tuple[Floats, Floats]:
    """Shares of held-out follow-ups and of others that are called so; then those of resamples.

    They are the same for every group of a study's turns.
    """
    import numpy as np

    yes, called = known.followup, getattr(known.judged, said)
    sums = np.array(
        [
            np.bincount(known.judged.prompt, weight)
            for weight in (yes * called, yes, (1 - yes) * called, 1 - yes)
        ]
    )
    sums = sums[:, np.bincount(known.judged.prompt) > 0]
    size = sums.shape[1]
    rng = np.random.default_rng([how.seed, 1])  # not the draws of the study's own prompts
    draws = rng.multinomial(size, np.full(size, 1 / size), size=how.resamples)
    hit, hits, alarm, others = sums @ np.concatenate([np.ones((1, size)), draws]).T
    with np.errstate(invalid="ignore", divide="ignore"):
        return hit / hits, alarm / others


def _means(values: Floats, resamples: int, seed: int) -> Floats:
    """The mean of some numbers, then those of their resamples.

    Where few of them differ, a resample is one multinomial draw of their counts: the same
    distribution, at a cost that does not grow with them.
    """
    import numpy as np

    size, rng = values.size, np.random.default_rng(seed)
    distinct, counts = np.unique(values, return_counts=True)
    if 10 * distinct.size < size:
        draws = rng.multinomial(size, counts / size, size=resamples)
        return np.append(values.mean(), draws @ distinct / size)
    at_once = max(1, DRAWN // size)
    means = [np.array([values.mean()])]
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        means.append(values[rng.integers(size, size=(rows, size), dtype=np.int32)].mean(axis=1))
    return np.concatenate(means)


Estimator = Callable[[Judged, Known, Resampling], Corrected]

ESTIMATORS: dict[str, Estimator] = {
    "expected": expected,
    "rogan_gladen": rogan_gladen,
    "probabilistic": probabilistic,
}
RECOMMENDED = "expected"
"""The one of table `rates`: the least error where turns come from settings of other kinds."""

"""Means of numbers without bounds, such as nats per token, and paired differences of them.

Rates have theirs in `intervals`, which knows what values a turn can take. The unit is the prompt
here too. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from userturn.stats.intervals import FLIPS, NO_DATA, Contrast, Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = Sequence[float] | NDArray[np.float64]

TOO_FEW = "too few"
"""The method of an estimate that has no bounds, for it rests on one prompt."""


def mean_interval(values: Numbers, confidence: float, resamples: int, seed: int) -> Interval:
    """Mean over prompts with its percentile bootstrap interval.

    Args:
        values: One number per prompt.
        confidence: Coverage, such as 0.95.
        resamples: Bootstrap resamples.
        seed: Seed of the resampling.
    """
    import numpy as np
    from scipy import stats

    array = np.asarray(values, dtype=float)
    if not array.size:
        return NO_DATA
    mean = float(array.mean())
    if array.size == 1:
        return Interval(mean, None, None, TOO_FEW)
    bounds = stats.bootstrap(
        (array,),
        np.mean,
        confidence_level=confidence,
        n_resamples=resamples,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(mean, min(float(bounds.low), mean), max(float(bounds.high), mean), "bootstrap")


def paired_means(
    base: Numbers, changed: Numbers, confidence: float, resamples: int, seed: int
) -> Contrast:
    """Difference of the means of two settings over the same prompts, with a sign-flip test.

    Args:
        base: One number per prompt.
        changed: The same prompts in the same order, in the other setting.
        confidence: Coverage, such as 0.95.
        resamples: Bootstrap resamples.
        seed: Seed of resampling and sign flips.

    Raises:
        ValueError: The two differ in length.
    """
    import numpy as np
    from scipy import stats

    a, b = np.asarray(base, dtype=float), np.asarray(changed, dtype=float)
    if a.shape != b.shape:
        raise ValueError(f"{a.size} prompts cannot be paired with {b.size}")
    if not a.size:
        return Contrast(None, None, NO_DATA, None, "no data", 0)
    difference = mean_interval(b - a, confidence, resamples, seed)
    if a.size == 1:
        return Contrast(float(a[0]), float(b[0]), difference, None, TOO_FEW, 1)

    def mean(sample: Any, axis: int) -> Any:
        return np.mean(sample, axis=axis)

    test = stats.permutation_test(
        (b - a,),
        mean,
        permutation_type="samples",
        n_resamples=FLIPS,
        rng=np.random.default_rng(seed),
    )
    p = float(test.pvalue)
    return Contrast(float(a.mean()), float(b.mean()), difference, p, "sign-flip", a.size)

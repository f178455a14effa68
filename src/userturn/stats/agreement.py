"""Cohen's kappa and Krippendorff's alpha with intervals by prompt; pure functions of arrays.

Estimates are scikit-learn's and krippendorff's. Their intervals are a percentile bootstrap over
whole prompts, whose resamples are computed from counts per prompt: the libraries take labels, one
resample at a time, which for thousands of turns is minutes a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

Bounded = tuple[float, float, float]
"""An estimate and its bounds."""
BLOCK = 50_000
"""Turns that are counted at once: each takes a matrix of labels."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How far raters agree.

    Attributes:
        agreement: Share of pairs of labels that are the same.
        kappa: Cohen's kappa with its bounds; None for more than two raters, or without variation.
        alpha: Krippendorff's alpha with its bounds; None without variation.
    """

    agreement: float
    kappa: Bounded | None
    alpha: Bounded | None


def measure(
    codes: NDArray[np.int64],
    prompt: NDArray[np.int64],
    confidence: float,
    resamples: int,
    seed: int,
) -> Measured:
    """Agreement of raters on turns that at least two of them labelled.

    Args:
        codes: One row per rater, one column per turn; -1 is no label.
        prompt: Index of each turn's prompt, from 0 without gaps.
        confidence: Coverage of the intervals, such as 0.95.
        resamples: Bootstrap resamples.
        seed: Seed of the resampling.
    """
    import krippendorff
    import numpy as np
    from sklearn.metrics import cohen_kappa_score

    values = np.unique(codes[codes >= 0])
    size, prompts = values.size, int(prompt.max()) + 1
    coincidences = np.zeros((prompts, size, size))
    for start in range(0, prompt.size, BLOCK):
        block = slice(start, start + BLOCK)
        counts = (codes.T[block, :, None] == values).sum(axis=1)  # (turns, values)
        pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(size)
        shared = pairs / (counts.sum(axis=1) - 1)[:, None, None]
        np.add.at(coincidences, prompt[block], shared)
    total = coincidences.sum(axis=0)
    agreement = float(np.trace(total) / total.sum())
    if size < 2:
        return Measured(agreement, None, None)
    data = np.where(codes < 0, np.nan, codes)
    estimate = krippendorff.alpha(reliability_data=data, level_of_measurement="nominal")
    alphas = alpha_of(_resampled(coincidences, resamples, seed))
    alpha = float(estimate), *_bounds(alphas, confidence)
    if len(codes) != 2:
        return Measured(agreement, None, alpha)
    first, second = codes
    tables = np.zeros((prompts, size, size))
    cells = np.searchsorted(values, codes)
    np.add.at(tables, (prompt, cells[0], cells[1]), 1)
    kappas = kappa_of(_resampled(tables, resamples, seed))
    kappa = float(cohen_kappa_score(first, second)), *_bounds(kappas, confidence)
    return Measured(agreement, kappa, alpha)


def kappa_of(tables: Floats) -> Floats:
    """Cohen's kappa (1960) of contingency tables (..., labels, labels); NaN without variation."""
    import numpy as np

    total = tables.sum(axis=(-2, -1))
    observed = np.trace(tables, axis1=-2, axis2=-1) / total
    expected = (tables.sum(axis=-1) * tables.sum(axis=-2)).sum(axis=-1) / total**2
    with np.errstate(invalid="ignore"):
        kappa: Floats = (observed - expected) / (1 - expected)
    return kappa


def alpha_of(coincidences: Floats) -> Floats:
    """Krippendorff's nominal alpha of coincidence matrices (..., labels, labels).

    One less the ratio of observed to expected disagreement (Krippendorff 2011, Computing
    Krippendorff's Alpha-Reliability); NaN without variation.
    """
    import numpy as np

    given = coincidences.sum(axis=-1)
    total = given.sum(axis=-1)
    observed = total - np.trace(coincidences, axis1=-2, axis2=-1)
    expected = (total**2 - (given**2).sum(axis=-1)) / (total - 1)
    with np.errstate(invalid="ignore"):
        alpha: Floats = 1 - observed / expected
    return alpha


def _resampled(counts: Floats, resamples: int, seed: int) -> Floats:
    """Sums of matrices per prompt over resamples of the prompts: (resamples, labels, labels)."""
    import numpy as np

    prompts = len(counts)
    rng, flat = np.random.default_rng(seed), counts.reshape(prompts, -1)
    at_once = max(1, 5_000_000 // prompts)  # draws of many prompts are large
    sums = [
        rng.multinomial(prompts, np.full(prompts, 1 / prompts), size=rows).astype(float) @ flat
        for rows in (min(at_once, resamples - row) for row in range(0, resamples, at_once))
    ]
    return np.concatenate(sums).reshape(resamples, *counts.shape[1:])


def _bounds(replicates: Floats, confidence: float) -> tuple[float, float]:
    """Percentile bounds; resamples in which no label varies say nothing and are left out."""
    import numpy as np

    tail = (1 - confidence) / 2
    low, high = np.nanquantile(replicates, [tail, 1 - tail])
    return float(low), float(high)

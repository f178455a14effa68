"""How well scores rank what is to be found, and intervals of any statistic; pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Places = NDArray[np.integer[Any]]


def auc(scores: NDArray[Any], truth: NDArray[Any]) -> float:
    """Share of pairs, one turn to be found and one other, whose first has the higher score.

    The Mann-Whitney statistic by sums of ranks, which is fast enough for a bootstrap; equal scores
    count by half. NaN where all turns are to be found, or none is.

    >>> import numpy as np
    >>> auc(np.array([0.9, 0.4, 0.6]), np.array([True, False, True]))
    1.0

    Args:
        scores: One per turn.
        truth: Whether each is to be found.
    """
    from scipy.stats import rankdata

    wanted = int(truth.sum())
    pairs = wanted * (len(truth) - wanted)
    if not pairs:
        return float("nan")
    won = float(rankdata(scores)[truth].sum()) - wanted * (wanted + 1) / 2
    return won / pairs


def precision_at(scores: NDArray[Any], truth: NDArray[Any], recall: float) -> float:
    """Highest precision of a ranking among cuts that find at least a share of the truth.

    Args:
        scores: One per turn; turns below zero are never chosen, and equal ones fall together.
        truth: Whether each is to be found.
        recall: The share.

    Returns:
        The precision; NaN where no cut finds that many.
    """
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(truth[order])
    last = np.append(ranked[1:] != ranked[:-1], True)
    cuts = last & (ranked >= 0) & (hits >= recall * truth.sum()) & truth.any()
    return float((hits / np.arange(1, len(hits) + 1))[cuts].max()) if cuts.any() else float("nan")


def resampled(
    clusters: Sequence[Places],
    statistic: Callable[[Places], float],
    confidence: float,
    resamples: int,
    seed: int,
) -> tuple[float, float]:
    """Percentile interval over resampled clusters, in which places stay together.

    Args:
        clusters: Places of the turns of each cluster.
        statistic: A number made of the turns at some places, any of them several times; resamples
            for which it is NaN are left out.
        confidence: Coverage, such as 0.95.
        resamples: Bootstrap resamples.
        seed: Seed of the resampling.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    size = len(clusters)
    draws = [
        statistic(np.concatenate([clusters[at] for at in rng.integers(size, size=size)]))
        for _ in range(resamples)
    ]
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(draws, [tail, 1 - tail])
    return float(low), float(high)

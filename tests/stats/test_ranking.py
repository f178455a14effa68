"""Rankings against the library, and intervals over clusters."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_auc_score

from userturn.stats.ranking import auc, precision_at, resampled


@pytest.mark.parametrize("seed", range(5))
def test_ranking_is_the_librarys(seed):
    rng = np.random.default_rng(seed)
    scores, truth = rng.integers(0, 6, 40) / 6, rng.random(40) < 0.4
    assert auc(scores, truth) == pytest.approx(roc_auc_score(truth, scores))
    precision, recall, _ = precision_recall_curve(truth, scores)
    best = precision[:-1][recall[:-1] >= 0.6].max()
    assert precision_at(scores, truth, 0.6) == pytest.approx(best)


def test_nothing_to_rank_is_nan():
    scores = np.array([0.1, 0.2])
    assert np.isnan(auc(scores, np.array([True, True])))
    assert np.isnan(precision_at(scores, np.array([False, False]), 0.6))
    assert np.isnan(precision_at(-scores, np.array([True, False]), 0.6)), "below zero: not chosen"


def test_clusters_stay_together():
    """Ten values a cluster that all say the same are one value's worth of evidence."""
    values = np.repeat([0.0, 1.0] * 10, 10)
    together = [np.arange(start, start + 10) for start in range(0, 200, 10)]
    apart = [np.array([place]) for place in range(200)]

    def width(clusters):
        low, high = resampled(clusters, lambda at: float(values[at].mean()), 0.95, 400, 0)
        assert low < 0.5 < high
        return high - low

    assert width(together) > 2.5 * width(apart)

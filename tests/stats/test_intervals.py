"""Intervals and tests against libraries, hand calculation and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from userturn.stats.intervals import (
    NO_DATA,
    cluster_rate,
    greedy_rate,
    holm,
    paired_contrast,
    rate,
)

MONTE_CARLO = 3 * np.sqrt(0.05 * 0.95 / 500)  # of a share near 0.95 or 0.05
SHARES = st.lists(st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 0.75, 1.0]), min_size=1, max_size=40)


@given(st.integers(1, 400), st.data(), st.sampled_from([0.8, 0.95, 0.99]))
def test_greedy_rate_is_wilson_inside_and_exact_at_the_ends(n, data, confidence):
    k = data.draw(st.integers(0, n))
    got = greedy_rate(k, n, confidence)
    name = "beta" if k in (0, n) else "wilson"
    assert (got.low, got.high) == pytest.approx(
        proportion_confint(k, n, alpha=1 - confidence, method=name)
    )
    assert got.low <= got.estimate == k / n <= got.high


def test_greedy_rate_by_hand():
    got = greedy_rate(0, 12, 0.95)
    assert got.high == pytest.approx(1 - 0.025 ** (1 / 12))
    assert (got.estimate, got.low, got.method) == (0, 0, "clopper-pearson")


@settings(max_examples=50)
@given(SHARES)
def test_cluster_rate_holds_its_estimate_within_bounds(values):
    got = cluster_rate(values, 0.95, 300, 0)
    assert got.estimate == pytest.approx(np.mean(values))
    assert 0 <= got.low <= got.estimate + 1e-12
    assert got.estimate <= got.high + 1e-12 <= 1 + 1e-11
    assert got.low < got.high, "a finite sample never gives certainty"
    assert got == cluster_rate(values, 0.95, 300, 0)


def test_cluster_rate_is_the_bootstrap_over_prompts():
    rng = np.random.default_rng(3)
    values = rng.binomial(4, 0.3, size=400) / 4
    got = cluster_rate(values, 0.95, 20_000, 0)
    drawn = rng.choice(values, size=(20_000, 400)).mean(axis=1)
    assert (got.low, got.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.004)


def test_cluster_rate_is_scipys_percentile_bootstrap():
    rng = np.random.default_rng(4)
    values = rng.binomial(5, rng.beta(0.6, 1.4, size=400)) / 5
    got = cluster_rate(values, 0.95, 20_000, 0)
    ours = scipy_stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert (got.low, got.high) == pytest.approx((ours.low, ours.high), abs=0.004)


def test_prompts_that_agree_get_the_exact_bound():
    bound = 1 - 0.025 ** (1 / 10)
    assert cluster_rate([0.0] * 10, 0.95, 100, 0).high == pytest.approx(bound)
    assert cluster_rate([1.0] * 10, 0.95, 100, 0).low == pytest.approx(1 - bound)


def test_rate_chooses_by_what_a_prompt_holds():
    assert rate([0, 1, 1], False, 0.95, 200, 0) == greedy_rate(2, 3, 0.95)
    assert rate([0, 1, 1], True, 0.95, 200, 0).method == "bootstrap"
    assert rate([0, 0.5, 1], False, 0.95, 200, 0).method == "bootstrap"


def test_nothing_gives_no_data():
    assert greedy_rate(0, 0, 0.95) is NO_DATA
    assert cluster_rate([], 0.95, 100, 0) is NO_DATA
    assert rate([], False, 0.95, 100, 0) is NO_DATA
    empty = paired_contrast([], [], 0.95, 100, 0)
    assert (empty.prompts, empty.p, empty.difference) == (0, None, NO_DATA)


@pytest.mark.parametrize("samples", [1, 4])
@pytest.mark.parametrize(("truth", "prompts"), [(0.3, 80), (0.15, 12)])
def test_intervals_cover_the_truth(samples, truth, prompts):
    """Prompts differ in their own rate, so samples of one prompt resemble each other."""
    rng = np.random.default_rng(11)
    covered = 0
    for index in range(500):
        own = rng.beta(2 * truth, 2 * (1 - truth), size=prompts)
        values = rng.binomial(samples, own) / samples
        got = rate(values, samples > 1, 0.95, 500, index)
        covered += got.low <= truth <= got.high
    assert covered / 500 > 0.95 - MONTE_CARLO
    if prompts == 80:  # over few prompts an interval of a small rate covers more, never less
        assert covered / 500 < 0.95 + MONTE_CARLO


@pytest.mark.parametrize("truth", [0.1, 0.3, 0.5])
def test_a_study_of_50_prompts_with_5_samples_covers_the_truth(truth):
    """In 93 to 97 % of a thousand."""
    rng = np.random.default_rng(21)
    covered = 0
    for index in range(1000):
        own = rng.beta(2 * truth, 2 * (1 - truth), size=50)
        got = cluster_rate(rng.binomial(5, own) / 5, 0.95, 2000, index)
        covered += got.low <= truth <= got.high
    print(f"truth {truth}: {covered / 10:.1f} %")
    assert 0.93 <= covered / 1000 <= 0.97


def test_ignoring_the_clusters_would_not_cover():
    """The check above can fail: Wilson over all samples is too short."""
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(500):
        turns = rng.binomial(4, rng.beta(0.6, 1.4, size=80))
        got = greedy_rate(int(turns.sum()), 320, 0.95)
        covered += got.low <= 0.3 <= got.high
    assert covered / 500 < 0.9


@pytest.mark.parametrize("prompts", [12, 80])
def test_contrasts_cover_the_truth_and_keep_their_level(prompts):
    rng = np.random.default_rng(5)
    covered, significant = 0, 0
    for index in range(500):
        own = rng.beta(0.6, 1.4, size=prompts)
        a, b = rng.binomial(1, own), rng.binomial(1, 0.5 * own)  # the truth is -0.15
        got = paired_contrast(a, b, 0.95, 500, index).difference
        covered += got.low <= -0.15 <= got.high
        null = rng.binomial(1, own)
        significant += paired_contrast(a, null, 0.95, 100, index).p < 0.05
    assert covered / 500 > 0.95 - MONTE_CARLO
    assert significant / 500 < 0.05 + MONTE_CARLO


def test_sampled_contrasts_keep_their_level():
    rng = np.random.default_rng(7)
    significant = 0
    for index in range(200):
        own = rng.beta(0.6, 1.4, size=30)
        a, b = (rng.binomial(4, own) / 4 for _ in range(2))
        significant += paired_contrast(a, b, 0.95, 100, index).p < 0.05
    assert significant / 200 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


BITS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


@settings(max_examples=50)
@given(BITS)
def test_binary_pairs_are_mcnemar(pairs):
    a, b = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    got = paired_contrast(a, b, 0.95, 200, 0)
    table = np.zeros((2, 2))
    for left, right in pairs:
        table[int(left), int(right)] += 1
    assert got.test == "mcnemar"
    assert got.p == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert got.difference.estimate == pytest.approx((b - a).mean())
    assert got.difference.low < got.difference.high


def test_sampled_pairs_are_the_exact_permutation_test():
    rng = np.random.default_rng(2)
    a, b = rng.binomial(4, 0.3, size=14) / 4, rng.binomial(4, 0.5, size=14) / 4
    exact = scipy_stats.permutation_test(
        (b - a,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    got = paired_contrast(a, b, 0.95, 200, 0)
    assert got.test == "sign-flip"
    assert got.p == pytest.approx(exact.pvalue, abs=0.005)


def test_contrast_is_antisymmetric_and_refuses_unequal_sides():
    a, b = [0.0, 0.25, 0.5, 0.0], [1.0, 0.25, 0.75, 0.5]
    up, down = paired_contrast(a, b, 0.95, 500, 1), paired_contrast(b, a, 0.95, 500, 1)
    assert up.difference.estimate == pytest.approx(-down.difference.estimate)
    assert up.p == pytest.approx(down.p, abs=0.01)
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_contrast([1.0], [1.0, 0.0], 0.95, 100, 0)


def test_no_pair_changed():
    got = paired_contrast([0.0] * 12, [0.0] * 12, 0.95, 100, 0)
    assert got.p == 1
    assert got.difference.low < 0 < got.difference.high


def test_holm_by_hand():
    assert holm([0.01, None, 0.04, 0.03]) == [pytest.approx(0.03), None, *[pytest.approx(0.06)] * 2]
    assert holm([None]) == [None]
    assert holm([]) == []

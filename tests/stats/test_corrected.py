"""Corrected rates: by hand, by identity, and their coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from userturn.stats.corrected import Turns, error_rates, prediction_powered, rogan_gladen

STUDIES = 400
MONTE_CARLO = 3 * np.sqrt(0.05 * 0.95 / STUDIES)
SAMPLES = (1, 4)  # turns per prompt in the two groups of a made-up model: greedy, sampled


def everything(turns):
    return np.ones(turns.prompt.size, dtype=bool)


def make(rng, prompts, truths, sensitivity, specificity, items):
    """A model's turns in two groups, their prompts shared, and who of them was labelled.

    The sample has as many turns that the judge calls follow-ups as others, or all there are.
    """
    prompt, group, truth = [], [], []
    for index, (samples, rate) in enumerate(zip(SAMPLES, truths, strict=True)):
        own = rng.beta(2 * rate, 2 * (1 - rate), size=prompts)
        here = np.repeat(np.arange(prompts), samples)
        prompt.append(here)
        group.append(np.full(here.size, index))
        truth.append(rng.random(here.size) < own[here])
    prompt, group, truth = (np.concatenate(parts) for parts in (prompt, group, truth))
    judged = rng.random(truth.size) < np.where(truth, sensitivity, 1 - specificity)
    weight = np.zeros(truth.size)
    strata = sorted((np.flatnonzero(judged == says) for says in (False, True)), key=len)
    few = min(len(strata[0]), items // 2)
    for stratum, count in zip(strata, (few, items - few), strict=True):
        count = min(count, len(stratum))
        if count:
            weight[rng.choice(stratum, count, replace=False)] = len(stratum) / count
    known = np.where(weight > 0, truth, 0.0)
    return Turns(prompt, judged.astype(float), known, weight), group, truth


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [rogan_gladen, prediction_powered])
@pytest.mark.parametrize(
    ("prompts", "truths", "sensitivity", "specificity", "items"),
    [
        (200, (0.3, 0.45), 0.8, 0.8, 300),  # 200 greedy turns, 800 sampled ones
        (60, (0.15, 0.25), 0.7, 0.95, 300),  # all are labelled
        (120, (0.5, 0.3), 0.95, 0.95, 150),
        (120, (0.4, 0.5), 0.8, 0.8, 120),  # two dozen of the greedy turns
    ],
)
def test_intervals_cover_the_truth(estimator, prompts, truths, sensitivity, specificity, items):
    """Prompts differ in their own rate, so turns of one prompt resemble each other."""
    rng = np.random.default_rng(3)
    covered, estimates = np.zeros(2), [[], []]
    for _ in range(STUDIES):
        turns, group, _ = make(rng, prompts, truths, sensitivity, specificity, items)
        for index, truth in enumerate(truths):
            got = estimator(turns, group == index, 0.95)
            assert 0 <= got.low <= got.estimate <= got.high <= 1
            covered[index] += got.low <= truth <= got.high
            estimates[index].append(got.estimate)
    assert (covered / STUDIES > 0.95 - MONTE_CARLO).all(), covered / STUDIES
    assert [np.mean(each) for each in estimates] == pytest.approx(truths, abs=0.015)


def test_the_raw_rate_does_not_cover_the_truth():
    """The check above can fail: the judge's own rate is off by more than its interval."""
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(100):
        turns, group, _ = make(rng, 200, (0.3, 0.45), 0.8, 0.8, 300)
        judged = turns.judged[group == 0]
        low, high = proportion_confint(judged.sum(), judged.size, method="wilson")
        covered += low <= 0.3 <= high
    assert covered < 70


def test_the_judge_makes_the_interval_shorter():
    """Against people alone: a judge that knows nothing, which the tuning then leaves out."""
    rng = np.random.default_rng(1)
    widths = {"judge": [], "people": []}
    for _ in range(50):
        turns, group, _ = make(rng, 200, (0.3, 0.45), 0.9, 0.9, 120)
        alone = Turns(turns.prompt, np.zeros_like(turns.judged), turns.truth, turns.weight)
        for name, these in (("judge", turns), ("people", alone)):
            got = prediction_powered(these, group == 1, 0.95)
            widths[name].append(got.high - got.low)
    assert np.mean(widths["judge"]) < 0.85 * np.mean(widths["people"])


def test_rogan_gladen_by_hand():
    """100 turns: of 40 judged yes 30 are, of 60 judged no 6 are; the group is another 20."""
    judged = np.repeat([1.0, 0.0], [40, 60])
    truth = np.concatenate([np.repeat([1.0, 0.0], [30, 10]), np.repeat([1.0, 0.0], [6, 54])])
    turns = Turns(np.arange(100), judged, truth, np.ones(100))
    assert error_rates(turns) == pytest.approx((30 / 36, 54 / 64))
    group = np.isin(np.arange(100), [*range(10), *range(40, 50)])  # judged: one half
    got = rogan_gladen(turns, group, 0.95)
    assert got.estimate == pytest.approx((0.5 + 54 / 64 - 1) / (30 / 36 + 54 / 64 - 1))
    assert got.low < got.estimate < got.high


def test_weights_undo_the_sampling():
    """The same 100 turns, all of the rare kind labelled and every second of the common one."""
    judged = np.repeat([1.0, 0.0], [40, 60])
    truth = np.concatenate([np.repeat([1.0, 0.0], [30, 10]), np.tile([1.0, 0, 0, 0, 0, 0], 10)])
    weight = np.where(judged == 1, 1.0, np.where(np.arange(100) % 2, 0.0, 2.0))
    turns = Turns(np.arange(100), judged, truth, weight)
    missed = truth[weight == 2].mean()
    rate = 0.4 * 0.75 + 0.6 * missed
    assert error_rates(turns)[0] == pytest.approx(0.4 * 0.75 / rate)
    for estimator in (rogan_gladen, prediction_powered):
        assert estimator(turns, everything(turns), 0.95).estimate == pytest.approx(rate)


@pytest.mark.parametrize("samples", [1, 3])
def test_where_all_is_labelled_people_alone_count(samples):
    """One turn per prompt gives Wilson's interval, with Student's quantile."""
    rng = np.random.default_rng(0)
    prompt = np.repeat(np.arange(40), samples)
    truth = (rng.random(prompt.size) < 0.3).astype(float)
    judged = (rng.random(prompt.size) < 0.5).astype(float)
    turns = Turns(prompt, judged, truth, np.ones(prompt.size))
    got = prediction_powered(turns, everything(turns), 0.95)
    assert got.estimate == pytest.approx(truth.mean())
    if samples == 1:
        low, high = proportion_confint(truth.sum(), 40, method="wilson")
        assert (got.low, got.high) == pytest.approx((low, high), abs=0.01)


def test_nobody_says_yes():
    turns = Turns(np.arange(30), np.zeros(30), np.zeros(30), np.ones(30))
    got = prediction_powered(turns, everything(turns), 0.95)
    assert (got.estimate, got.low, got.note) == (0, 0, "")
    assert 0.08 < got.high < 0.15
    assert rogan_gladen(turns, everything(turns), 0.95).note == "too few labelled prompts"


def test_what_cannot_be_estimated_says_why():
    rng = np.random.default_rng(0)
    turns, _, _ = make(rng, 100, (0.4, 0.4), 0.8, 0.8, 8)
    for estimator in (rogan_gladen, prediction_powered):
        got = estimator(turns, everything(turns), 0.95)
        assert (got.estimate, got.low, got.note) == (None, None, "too few labelled prompts")
    turns, _, _ = make(rng, 100, (0.4, 0.4), 0.2, 0.3, 100)
    assert "no better than chance" in rogan_gladen(turns, everything(turns), 0.95).note
    assert prediction_powered(turns, everything(turns), 0.95).estimate is not None


def test_an_impossible_estimate_is_clamped_and_says_so():
    """A group in which the judge says yes more rarely than its errors alone would have it."""
    judged = np.repeat([1.0, 0.0], [50, 50])
    truth = np.concatenate([np.repeat([1.0, 0.0], [30, 20]), np.repeat([1.0, 0.0], [5, 45])])
    turns = Turns(np.arange(100), judged, truth, np.ones(100))
    got = rogan_gladen(turns, np.arange(100) >= 50, 0.95)
    assert (got.estimate, got.low, got.note) == (0, 0, "clamped")
    assert 0 < got.high < 1

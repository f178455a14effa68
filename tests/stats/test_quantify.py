"""Adjusted counts: by hand, where nothing can be said, and their coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from userturn.stats import quantify
from userturn.stats.quantify import ESTIMATORS, RECOMMENDED, Judged, Known, Resampling

HOW = Resampling(0.95, 300, 0)
STUDIES = 400


def judged(labelled, probability, prompt=None):
    prompt = np.arange(len(labelled)) if prompt is None else np.array(prompt)
    return Judged(prompt, np.array(labelled, dtype=float), np.array(probability, dtype=float))


def known(counts):
    """Held-out turns from (followup, labelled, probability, how many); a prompt each."""
    rows = [row for *row, count in counts for _ in range(count)]
    truth, labelled, probability = np.array(rows, dtype=float).T
    return Known(judged(labelled, probability), truth, np.zeros(len(rows), dtype=int))


KNOWN = known([(1, 1, 0.9, 18), (1, 0, 0.2, 12), (0, 1, 0.9, 2), (0, 0, 0.2, 48)])
"""Sensitivity 0.6, specificity 0.96; 18 of 20 at probability 0.9, 12 of 60 at 0.2."""


def test_counts_by_hand():
    turns = judged([1] * 20 + [0] * 80, [0.9] * 20 + [0.2] * 80)
    rogan = quantify.rogan_gladen(turns, KNOWN, HOW)
    assert rogan.estimate == pytest.approx((0.2 - 0.04) / (0.6 - 0.04))
    true, false = 0.9 * 0.6 + 0.2 * 0.4, 0.9 * 0.04 + 0.2 * 0.96
    probabilistic = quantify.probabilistic(turns, KNOWN, HOW)
    assert probabilistic.estimate == pytest.approx((0.34 - false) / (true - false))
    expected = quantify.expected(turns, KNOWN, HOW)
    assert expected.estimate == pytest.approx(0.34, abs=0.005), "probabilities mean what they say"
    for one in (rogan, probabilistic, expected):
        assert one.low < one.estimate < one.high


def test_probabilities_are_recalibrated_on_held_out_turns():
    """The judge says 0.5 where 3 of 30 are follow-ups, and 0.9 where 15 of 30 are."""
    turns = known([(1, 0, 0.5, 3), (0, 0, 0.5, 27), (1, 1, 0.9, 15), (0, 1, 0.9, 15)])
    said = turns.recalibration(np.array([0.5, 0.9, 0.0, 1.0]))
    assert said[:2] == pytest.approx([0.1, 0.5], abs=0.03)
    assert said[2:].tolist() == [0, 1], "a rule's label stays"


def test_every_prompt_counts_the_same_however_many_turns_it_has():
    once = judged([1, 0], [1.0, 0.0])
    often = judged([1, 0, 0, 0], [1.0, 0.0, 0.0, 0.0], prompt=[0, 1, 1, 1])
    for estimator in ESTIMATORS.values():
        assert estimator(often, KNOWN, HOW).estimate == pytest.approx(
            estimator(once, KNOWN, HOW).estimate
        )


def test_where_nothing_can_be_said():
    turns, nothing = judged([1, 0], [0.9, 0.1]), judged([], [])
    few = known([(1, 1, 0.9, 4), (0, 0, 0.1, 40)])
    blind = known([(1, 1, 0.5, 5), (1, 0, 0.5, 5), (0, 1, 0.5, 5), (0, 0, 0.5, 5)])
    for estimator in ESTIMATORS.values():
        assert estimator(nothing, KNOWN, HOW).note == "no turn with a probability"
        assert estimator(turns, few, HOW).note == "too few labelled prompts"
    assert quantify.rogan_gladen(turns, blind, HOW).note == "the judge is no better than chance"
    one = quantify.expected(judged([0], [0.0]), KNOWN, HOW)
    assert one.estimate == 0
    assert 0 == one.low < one.high <= 1


def test_a_judge_that_is_never_wrong_leaves_nothing_to_adjust():
    sure = known([(1, 1, 1.0, 30), (0, 0, 0.0, 70)])
    turns = judged([1] * 3 + [0] * 7, [1.0] * 3 + [0.0] * 7)
    for estimator in ESTIMATORS.values():
        assert estimator(turns, sure, HOW).estimate == pytest.approx(0.3)


def population(rng, prompts, settings, shift):
    """Turns of a judge whose log-odds are off by `shift`, and by something else per setting.

    Prompts differ in how likely follow-ups are, and so do settings. In a setting probabilities are
    off by a normal error of 0.3 on the log-odds, a few points of rate.
    """
    prompt = np.repeat(np.arange(prompts), len(settings))
    setting = np.tile(np.arange(len(settings)), prompts)
    odds = rng.normal(-3, 1.5, prompts)[prompt] + rng.normal(0, 1.5, prompt.size)
    chance = expit(odds + np.array([rate for rate, _ in settings])[setting])
    truth = (rng.random(prompt.size) < chance).astype(float)
    off = np.array([error for _, error in settings])[setting]
    said = expit(logit(chance) + shift + off)
    return Known(Judged(prompt, (said > 0.5).astype(float), said), truth, setting), chance


@pytest.mark.slow
@pytest.mark.parametrize("prompts", [24, 60, 120])
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_interval_of_the_recommended_count_covers_the_true_rate(prompts, shift):
    """Also of settings with more or fewer follow-ups than the held-out ones.

    True rates of the settings lie between about 5 and 25 %, those of the held-out turns at 12 %.
    """
    rng = np.random.default_rng(5)
    covered, errors, raw = 0, [], []
    for _ in range(STUDIES):
        rates, errors_of = rng.normal(0, 0.6, 6), rng.normal(0, 0.3, 6)
        settings = list(zip(rates.tolist(), errors_of.tolist(), strict=True))
        held_out, _ = population(rng, 120, settings[:5], shift)
        _, chance = population(rng, 4000, settings[5:], shift)
        study, _ = population(rng, prompts, settings[5:], shift)
        result = ESTIMATORS[RECOMMENDED](study.judged, held_out, HOW)
        covered += result.low <= chance.mean() <= result.high
        errors.append(result.estimate - chance.mean())
        raw.append(study.judged.labelled.mean() - chance.mean())
    assert 0.9 <= covered / STUDIES <= 0.98
    assert abs(np.mean(errors)) < 0.01
    assert np.mean(np.square(errors)) < np.mean(np.square(raw))

"""Means of numbers without bounds against closed forms, and their edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from userturn.stats.paired import mean_interval, paired_means

HOW = 0.95, 2000, 0
NUMBERS = st.lists(st.floats(-50, 0), min_size=2, max_size=40)


def test_the_interval_is_students_where_that_is_right():
    values = np.random.default_rng(1).normal(-3, 1, 200)
    ours = mean_interval(values, *HOW)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert ours.estimate == pytest.approx(values.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


@given(NUMBERS)
def test_the_estimate_lies_in_its_interval(values):
    one = mean_interval(values, 0.95, 100, 0)
    assert one.low <= one.estimate <= one.high


@given(st.lists(st.tuples(st.floats(-50, 0), st.floats(-50, 0)), min_size=2, max_size=12))
def test_a_contrast_turned_round_has_the_other_sign_and_the_same_p(pairs):
    base, changed = zip(*pairs, strict=True)
    one = paired_means(base, changed, 0.95, 100, 0)
    other = paired_means(changed, base, 0.95, 100, 0)
    assert one.difference.estimate == pytest.approx(-other.difference.estimate, abs=1e-9)
    assert one.p == pytest.approx(other.p, abs=0.05)


def test_every_sign_alike_has_the_exact_p_of_all_flips():
    base, changed = np.zeros(8), np.arange(1.0, 9.0)
    assert paired_means(base, changed, *HOW).p == pytest.approx(2 / 2**8)


def test_too_few_prompts_have_no_interval():
    assert mean_interval([], *HOW).estimate is None
    alone = mean_interval([-2.0], *HOW)
    assert (alone.estimate, alone.low, alone.method) == (-2.0, None, "too few")
    assert paired_means([], [], *HOW).p is None
    one = paired_means([-2.0], [-1.0], *HOW)
    assert one.difference.estimate == 1.0
    assert (one.p, one.test) == (None, "too few")


def test_what_cannot_be_paired_is_refused():
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_means([1.0], [1.0, 2.0], *HOW)

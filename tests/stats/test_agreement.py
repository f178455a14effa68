"""Kappa and alpha as the bootstrap has them are those of the libraries."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from userturn.stats.agreement import alpha_of, kappa_of

CODES = st.lists(st.tuples(*[st.integers(0, 3)] * 2), min_size=3, max_size=40)


@settings(max_examples=60)
@given(CODES)
def test_the_bootstrap_measures_what_the_libraries_measure(pairs):
    first, second = np.array(pairs).T
    if len({*first, *second}) < 2:
        return
    table = np.zeros((4, 4))
    np.add.at(table, (first, second), 1)
    assert kappa_of(table) == pytest.approx(cohen_kappa_score(first, second))
    alpha = krippendorff.alpha(
        reliability_data=np.array([first, second]), level_of_measurement="nominal"
    )
    assert alpha_of(table + table.T) == pytest.approx(alpha)

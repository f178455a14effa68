"""Statistics of contingency tables are the library's, also where a turn got no label."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, f1_score, precision_score, recall_score

from userturn.stats import confusion

LABELS = "abc"
TURN = st.tuples(st.sampled_from(LABELS), st.sampled_from("abc "), st.integers(0, 4))


@given(st.lists(TURN, min_size=1, max_size=30))
@pytest.mark.slow
def test_statistics_are_those_of_the_library(turns):
    known = [label for label, _, _ in turns]
    told = [None if label == " " else label for _, label, _ in turns]
    tables = confusion.tables(known, told, [prompt for *_, prompt in turns], LABELS)
    assert len(tables) == len({prompt for *_, prompt in turns})
    counts = tables.sum(axis=0)
    assert counts.sum() == len(turns)
    plain = [label or "none" for label in told]
    for place, label in enumerate(LABELS):
        asked = {"labels": [label], "average": "micro", "zero_division": np.nan}
        for ours, library in (
            (confusion.precision, precision_score),
            (confusion.recall, recall_score),
            (confusion.f1, f1_score),
        ):
            assert ours(counts, place) == pytest.approx(library(known, plain, **asked), nan_ok=True)
    present = sorted(set(known))
    macro = f1_score(known, plain, labels=present, average="macro", zero_division=0)
    assert confusion.macro_f1(counts) == pytest.approx(macro)
    valid = [(one, other) for one, other in zip(known, told, strict=True) if other]
    if valid and len(set(sum(valid, ()))) > 1:
        expected = cohen_kappa_score(*zip(*valid, strict=True))
        assert confusion.kappa(counts) == pytest.approx(expected, nan_ok=True)


def test_resamples_are_of_whole_prompts_and_work_like_one_table():
    tables = confusion.tables("aabbcc", "aabbca", [0, 0, 1, 1, 2, 2], LABELS)
    drawn = confusion.resampled(tables, 200, 0)
    assert drawn.shape == (200, 3, 4)
    assert set(drawn.sum(axis=(1, 2))) == {6.0}
    assert np.array_equal(drawn, confusion.resampled(tables, 200, 0))
    many = confusion.recall(drawn, 0)
    assert [confusion.recall(one, 0) for one in drawn] == pytest.approx(list(many), nan_ok=True)

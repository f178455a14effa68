"""The sample: known probabilities, rare labels first, weights that undo it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthetic import make_study, write_artifacts
from userturn.base.errors import UserturnError
from userturn.judges.human import labels as human
from userturn.judges.human import sample

SHA = "0" * 64


def turns(model, stratum, count):
    return {
        human.Text(
            model=model, dataset=stratum, item=str(n), condition="base", temperature=0, sample=0,
            sha256=SHA,
        ): stratum
        for n in range(count)
    }  # fmt: skip


@given(st.dictionaries(st.text("ab", min_size=1), st.integers(1, 60), min_size=1), st.data())
def test_allocation_is_as_equal_as_the_sizes_allow(sizes, data):
    sizes = {("m", name): size for name, size in sizes.items()}
    items = data.draw(st.integers(2 * len(sizes), 300))
    got = sample.allocate(sizes, items)
    assert sum(got.values()) == min(items, sum(sizes.values()))
    full = [key for key in sizes if got[key] == sizes[key]]
    rest = [got[key] for key in sizes if key not in full]
    assert max(rest, default=0) - min(rest, default=0) <= 1
    # Sizes 1, 3, 3 and six items: 1, 2, 3. What is left over may fill the last one.
    assert all(got[key] <= min(rest) + 1 for key in full if rest)


def test_every_turn_of_a_stratum_is_drawn_with_its_probability():
    population = {"m": turns("m", "rare", 4) | turns("m", "common", 40)}
    drawn = Counter()
    for seed in range(1000):
        lines = sample.draw(population, 14, seed)
        assert len(lines) == len({line.text for line in lines}) == 14
        assert {line.stratum: line.probability for line in lines} == {"rare": 1, "common": 0.25}
        drawn.update(line.text for line in lines)
    for text, stratum in population["m"].items():
        expected = {"rare": 1, "common": 0.25}[stratum]
        assert drawn[text] / 1000 == pytest.approx(expected, abs=4 * np.sqrt(0.25 * 0.75 / 1000))


def test_the_draw_does_not_depend_on_order_and_refuses_too_few():
    population = turns("m", "a", 9) | turns("m", "b", 9)
    backwards = dict(reversed(population.items()))
    assert sample.draw({"m": population}, 8, 1) == sample.draw({"m": backwards}, 8, 1)
    assert sample.draw({"m": population}, 8, 1) != sample.draw({"m": population}, 8, 2)
    with pytest.raises(UserturnError, match=r"--items 3: .* 2 strata; draw at least 4"):
        sample.draw({"m": population}, 3, 1)
    with pytest.raises(UserturnError, match="no user turns to label"):
        sample.draw({"m": {}}, 3, 1)


def test_weights_add_up_to_the_turns_that_exist():
    lines = sample.draw({"m": turns("m", "rare", 4) | turns("m", "common", 40)}, 14, 0)
    current = [line.text for line in lines]
    for labelled in (current, current[::2]):
        weights = sample.weights(lines, current, labelled)
        assert set(weights) == set(labelled)
        assert sum(weights.values()) == pytest.approx(44)
    gone = [line.text for line in lines if line.stratum == "common"][5:]
    current = [text for text in current if text not in gone]
    assert sum(sample.weights(lines, current, current).values()) == pytest.approx(4 + 20)


def test_annotators_get_the_same_turns_in_orders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = make_study()
    write_artifacts(study, items=10)
    lines = sample.read_or_draw(study, 60)
    assert sample.read_or_draw(study, None) == sample.read_or_draw(study, 60) == lines
    assert {line.condition for line in lines} == {"base"}
    strata = Counter(line.stratum for line in lines)
    assert len(strata) == 9
    assert max(strata.values()) <= 60 / 9 + 2
    texts = [line.text for line in lines]
    ann, bob = (sample.shuffled(texts, name) for name in ("ann", "bob"))
    assert ann != bob
    assert set(ann) == set(bob) == set(texts)
    assert sample.shuffled(reversed(texts), "ann") == ann
    with pytest.raises(UserturnError, match="holds 60 turns, not 50; leave --items out"):
        sample.read_or_draw(study, 50)


def test_asking_for_more_than_there_is_draws_all_and_stays_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = make_study(datasets=["a"], temperatures=[0])
    write_artifacts(study, items=10)
    assert len(sample.read_or_draw(study, 300)) == 10
    assert len(sample.read_or_draw(study, 300)) == 10

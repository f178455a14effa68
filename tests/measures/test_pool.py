"""Which answers and conversations stand in for a prompt's own."""

from collections import Counter
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from userturn.measures.pool import Pool


@given(st.integers(), st.integers(1, 9), st.dictionaries(st.text(), st.text(), max_size=12))
def test_swapped_answers_are_other_answers_in_a_stable_order(seed, swaps, texts):
    answers = {("d", item): text for item, text in texts.items()}
    answers |= {("e", "far"): "from afar", ("d", "me"): "own"}
    order = [text for _, text in Pool(answers, seed).others(("d", "me"), ("own",))]
    taken, more = order[:swaps], order[: swaps + 1]
    assert taken == more[: len(taken)]
    assert "own" not in taken
    near = [text for (name, item), text in answers.items() if name == "d" and text != "own"]
    assert set(taken[: len(near)]) <= set(near)
    assert len(taken) == min(swaps, len(near) + 1)


@given(st.integers(), st.sets(st.text(), min_size=2, max_size=12), st.integers(1, 5))
def test_every_answer_is_swapped_in_equally_often(seed, items, swaps):
    pool = Pool({("d", item): item for item in items}, seed)
    taken = Counter(
        text
        for item in items
        for _, text in islice(pool.others(("d", item), exclude=(item,)), swaps)
    )
    assert set(taken.values()) == {min(swaps, len(items) - 1)}

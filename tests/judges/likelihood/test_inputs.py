"""What the classifier weighs is what its names say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from userturn.judges.likelihood import inputs
from userturn.judges.likelihood.evidence import CONTEXTS, Evidence

QUERY = "How do I keep basil alive?"
ANSWER = "Give it six hours of sun, and pinch off the flowers."
PIECES = ("Why", " pin", "ch", " off", " flowers", "?")
OWN = (-3.0, -4.0, 0.0, -1.0, -1.0, -0.5)
NEUTRAL = (-2.5, -9.0, -3.0, -2.0, -4.0, -0.5)


def turn(text="Why pinch off flowers?", pieces=PIECES, own=OWN, neutral=NEUTRAL, answer=ANSWER):
    behind = {"own": own, "neutral": neutral, "alone": neutral, "assistant": own}
    return Evidence(text, "eos", QUERY, answer, pieces, behind)


def test_the_worked_example():
    values = inputs.inputs(turn())
    gains = [-0.5, 5.0, 3.0, 1.0, 3.0, 0.0]
    assert inputs.token_uptake(turn()) == gains
    assert values["uptake"] == pytest.approx(sum(gains) / 6)
    assert values["uptake_max"] == 5
    assert values["uptake_top3"] == 11
    assert values["uptake_content"] == pytest.approx(11 / 3)  # "pinch" in two tokens, "flowers"
    assert values["relevance"] == values["role_voice"] == 0
    assert values["answer_only"] == 1
    assert values["neither"] == values["restatement"] == 0
    assert values["pairs_answer_only"] == pytest.approx(1 / 3)  # "pinch off"
    assert values["question_mark"] == values["opens_question"] == 1


def test_the_words_that_the_answer_explains_come_in_the_order_of_what_it_explains():
    assert inputs.explained(turn()) == ["pinch", "flowers", "off"]
    assert inputs.explained(turn(), most=1) == ["pinch"]
    assert inputs.explained(turn(), least=4.0) == ["pinch"]
    assert inputs.explained(turn(own=NEUTRAL)) == []


def test_a_turn_without_likelihoods_has_no_inputs():
    with pytest.raises(ValueError, match="not scored"):
        inputs.inputs(Evidence("Why?", "eos", QUERY, ANSWER))


TEXT = st.text(max_size=60)


@st.composite
def turns(draw):
    pieces = tuple(draw(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=8)))
    numbers = st.lists(st.floats(-30, 0), min_size=len(pieces), max_size=len(pieces))
    behind = {name: draw(numbers) for name in CONTEXTS}
    return Evidence("".join(pieces), "eos", draw(TEXT), draw(TEXT), pieces, behind)


SHARES = (
    "answer_only", "neither", "restatement", "echo", "run_query", "run_answer",
    "pairs_answer_only", "query_covered", "loop",
)  # fmt: skip


@given(turns())
def test_shares_are_shares_and_the_largest_gains_are_the_largest(one):
    values = inputs.inputs(one)
    assert all(0 <= values[name] <= 1 for name in SHARES)
    gains = inputs.token_uptake(one)
    assert values["uptake_max"] == max(gains)
    assert values["uptake_top3"] <= 3 * max(gains) + 1e-9 or len(gains) < 3
    assert min(gains) - 1e-9 <= values["uptake"] <= max(gains) + 1e-9
    assert all(isinstance(value, float) for value in values.values())


@given(turns(), st.floats(-5, 0))
def test_an_answer_that_explains_more_gives_more_uptake_and_nothing_else_changes(one, less):
    neutral = [value + less for value in one.log_p["neutral"]]
    alone = [value + less for value in one.log_p["alone"]]
    other = Evidence(
        one.text, one.end, one.query, one.answer, one.pieces,
        {**one.log_p, "neutral": neutral, "alone": alone},
    )  # fmt: skip
    before, after = inputs.inputs(one), inputs.inputs(other)
    assert after["uptake"] == pytest.approx(before["uptake"] - less)
    for name in before:
        if not name.startswith("uptake"):
            assert after[name] == pytest.approx(before[name], abs=1e-9)


WORDS = st.lists(st.sampled_from("abcd"), max_size=8)


@given(WORDS, WORDS)
def test_no_common_run_is_longer(left, right):
    def runs(words, size):
        return {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}

    size = inputs.longest_common_run(left, right)
    assert size == inputs.longest_common_run(right, left)
    assert size == 0 or runs(left, size) & runs(right, size)
    assert not runs(left, size + 1) & runs(right, size + 1)


@pytest.mark.parametrize(
    ("word", "stem"), [("siblings", "sibling"), ("carries", "carry"), ("bed", "bed"), ("is", "is")]
)
def test_endings_fall_where_a_stem_is_left(word, stem):
    assert inputs.stem(word) == stem

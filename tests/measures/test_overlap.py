import pytest
from hypothesis import given
from hypothesis import strategies as st

from userturn.measures.kinds.echo import echo
from userturn.measures.kinds.loop import loop
from userturn.measures.kinds.restatement import restatement
from userturn.measures.overlap import words

QUERY = (
    "Janet's ducks lay 16 eggs per day. She eats three for breakfast every morning and bakes "
    "muffins for her friends every day with four. She sells the remainder at the farmers' market "
    "daily for $2 per fresh duck egg. How much in dollars does she make every day at the farmers' "
    "market?"
)
TEXTS = st.one_of(
    st.text(max_size=200), st.lists(st.sampled_from(["a", "b", "cd", "ef", "g"])).map(" ".join)
)
MEASURES = [restatement, echo]


@given(TEXTS, TEXTS)
@pytest.mark.parametrize("measure", MEASURES)
def test_an_overlap_is_a_share(measure, turn, text):
    assert 0 <= measure(turn, text) <= 1


@given(TEXTS)
def test_a_text_restates_itself(text):
    assert restatement(text, text) == (1 if words(text) else 0)


@given(TEXTS, TEXTS)
@pytest.mark.parametrize("measure", MEASURES)
def test_case_and_punctuation_do_not_count(measure, turn, text):
    shouted = "¡" + turn.upper().replace(" ", "  ") + "!!"
    if words(shouted) == words(turn):  # false for the few letters that fold in more than one way
        assert measure(shouted, text) == measure(turn, text)


@given(
    st.lists(st.sampled_from(["one", "two", "three", "four", "five", "six"]), min_size=5), st.data()
)
def test_a_passage_of_a_text_restates_it(text, data):
    size = data.draw(st.integers(4, len(text)))
    start = data.draw(st.integers(0, len(text) - size))
    passage = text[start : start + size]
    assert restatement(" ".join(passage), " ".join(text)) == 1


@given(st.lists(st.sampled_from(["one", "two", "three"])), st.lists(st.sampled_from(["x", "y"])))
@pytest.mark.parametrize("measure", MEASURES)
def test_texts_without_a_common_word_do_not_overlap(measure, turn, text):
    assert measure(" ".join(turn), " ".join(text)) == 0


@pytest.mark.parametrize(
    ("turn", "least", "most"),
    [
        (QUERY, 1, 1),
        ("How much does she make in dollars every day at the farmers market?", 0.9, 1),
        ("How much in dollars does she make every day at the farmers' market?", 1, 1),
        ("Why?", 0, 0),
        ("How much?", 0, 0.5),
        ("If Janet gave 2 eggs to a friend every day, how much would she make?", 0, 0.6),
        ("What is the capital of France and how did it get its name?", 0, 0.3),
        (QUERY + " She makes 18 dollars, because she sells nine eggs at two dollars.", 0.7, 1),
    ],
)
def test_restatement_of_a_word_problem(turn, least, most):
    assert least <= restatement(turn, QUERY) <= most


def test_function_words_scattered_over_a_long_text_do_not_add_up():
    assert restatement("and for the with a of to her she it", QUERY * 5) < 0.5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("Isn't it 3.5?", ("isn", "t", "it", "3", "5")),
        ("ＡＢＣ", ("abc",)),
        ("为什么 x2?", ("为", "什", "么", "x2")),
        ("कृपया समझाइए।", ("कृपया", "समझाइए")),
        ("왜 그렇죠?", ("왜", "그렇죠")),
    ],
)
def test_words_in_many_scripts(text, expected):
    assert words(text) == expected


@given(TEXTS)
def test_a_loop_is_a_share_and_grows_with_repetition(text):
    assert 0 <= loop(text) < 1
    repeated = " ".join([text] * 8)
    if len(words(text)) >= 4:
        assert loop(repeated) >= 0.5


@pytest.mark.parametrize(
    ("text", "looping"),
    [
        ("no no no no no no no", True),
        ("hahahahahaha", True),
        ("----------------", True),
        ("They've done amazing things. " * 6, True),
        ("请解释" * 6, True),
        ("Thanks!", False),
        ("Why, why, why?", False),
        ("请解释一下第二步为什么要除以二，我不太明白这里的推理。", False),
        ("Can you give one more example, and one more reason to give it?", False),
    ],
)
def test_loops_are_told_from_speech(text, looping):
    assert (loop(text) >= 0.5) is looping

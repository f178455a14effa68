"""What is scored behind what, and the measures that come of it."""

from collections.abc import Iterator, Sequence
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations import CONVERSATIONS
from userturn.artifacts import schemas
from userturn.engines.base import ScoreRequest
from userturn.measures import contexts, kinds
from userturn.measures.measurable import Measurable
from userturn.measures.measure import measure, row
from userturn.measures.plan import plan
from userturn.measures.pool import Pool
from userturn.study.classify import Ground


def turn(item="0", condition="base", text="Why?", tokens=(7, 8), own=None, shown=None, sample=0):
    query, answer, _ = CONVERSATIONS[item]
    own = answer if own is None else own
    return Measurable(
        ("d", item, condition, 0.0, sample), query, shown or own, own, text, tuple(tokens)
    )


class Spelling:
    """A stand-in for roles.Chat: an id per character; `1` opens a user turn, `2` an answer."""

    def user_context(self, query: str, answer: str, mode: str) -> tuple[int, ...]:
        return (*self.encode_content(query + "/" + answer), 0, 1)

    def assistant_context(self, query: str, answer: str, mode: str) -> tuple[int, ...]:
        return (*self.encode_content(query + "/" + answer), 0, 2)

    def encode_content(self, text: str) -> tuple[int, ...]:
        return tuple(map(ord, text))


class Scorer:
    """Gives every token a log-probability that depends on the whole sequence in front of it."""

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[list[list[float]]]:
        for request in requests:
            yield [
                [self.log_p(request.context + target[:at], target[at]) for at in range(len(target))]
                for target in request.targets
            ]

    @staticmethod
    def log_p(before: tuple[int, ...], token: int) -> float:
        return -1 - (hash((before, token)) % 1000) / 250


def expected(
    one: Measurable, other_answers: Sequence[str], elsewhere: Sequence[str]
) -> tuple[float, float, float]:
    """G, V and C straight from their definition."""
    chat = Spelling()

    def log_p(context: tuple[int, ...]) -> float:
        return sum(
            Scorer.log_p(context + one.tokens[:at], token) for at, token in enumerate(one.tokens)
        )

    own = log_p(chat.user_context(one.query, one.own, "history"))
    swapped = [log_p(chat.user_context(one.query, other, "history")) for other in other_answers]
    voice = own - log_p(chat.assistant_context(one.query, one.own, "history"))
    size = len(one.tokens)
    moved = [log_p(chat.user_context(*CONVERSATIONS[item][:2], "history")) for item in elsewhere]
    return (
        (own - sum(swapped) / len(swapped)) / size,
        voice / size,
        own - sum(moved) / len(moved),
    )


TOKENS = st.lists(st.integers(10, 200), min_size=1, max_size=6)


@given(st.lists(st.tuples(st.sampled_from("0123"), TOKENS), min_size=2, max_size=12), st.integers())
def test_measures_follow_their_definition(drawn, seed):
    turns = [turn(item, tokens=tokens, sample=n) for n, (item, tokens) in enumerate(drawn)]
    layout = plan(turns, Spelling(), "history", Ground(swaps=2, others=3), seed, None)
    pool = {("d", item): CONVERSATIONS[item][1] for item, _ in drawn}
    rows = {one.key: row(one, log_p) for one, log_p in measure(layout, Scorer())}
    assert set(rows) == {one.key for one in turns}
    for one in turns:
        others = [*islice(Pool(pool, seed).others(one.prompt, (one.own,)), 3)]
        measured = rows[one.key]
        if not others:
            assert measured["grounding"] is None
            assert measured["relevance"] is None
            continue
        answers = [answer for _, answer in others[:2]]
        grounding, voice, relevance = expected(one, answers, [item for (_, item), _ in others])
        assert measured["relevance"] == pytest.approx(relevance)
        assert measured["grounding"] == pytest.approx(grounding)
        assert measured["role_voice"] == pytest.approx(voice)


def test_every_context_is_asked_for_once_however_many_turns_share_it():
    turns = [turn(item, tokens=(n, 9), sample=n) for item in "01" for n in range(5)]
    layout = plan(turns, Spelling(), "history", Ground(swaps=1, others=1), 0, None)
    contexts = [asked.request.context for group in layout.groups for asked in group.asked]
    assert len(contexts) == len(set(contexts)) == 4
    assert set(layout.visits) == {("d", "0"), ("d", "1")}
    assert {len(request.targets) for request in layout.requests} == {5, 10}


def test_equal_turns_are_scored_once():
    layout = plan(
        [turn(sample=n) for n in range(9)], Spelling(), "history", Ground(swaps=1), 0, None
    )
    assert len(layout.groups[0].turns) == 9
    assert len(layout.groups[0].asked[0].targets) == 1


def test_swapped_answers_carry_the_same_perturbation():
    turns = [
        turn(item, condition, own=CONVERSATIONS[item][1] + tail, sample=n)
        for n, item in enumerate("0123")
        for condition, tail in (("base", ""), ("ask", " Shall I go on?"))
    ]
    layout = plan(turns, Spelling(), "history", Ground(swaps=3), 0, None)
    for group in layout.groups:
        endings = {one.answer.endswith("?") for one in group.layout["swapped"]}
        assert endings == {group.turns[0].condition == "ask"}


def test_under_swap_neither_the_own_nor_the_shown_answer_is_a_swap():
    shown = CONVERSATIONS["1"][1]
    turns = [turn(item, "swap", shown=shown) for item in "0123"]
    layout = plan(turns, Spelling(), "history", Ground(swaps=9), 0, None)
    first = next(group for group in layout.groups if group.prompt == ("d", "0"))
    assert [one.answer for one in first.layout["own"]] == [CONVERSATIONS["0"][1]]
    swapped = [one.answer for one in first.layout["swapped"]]
    assert len(swapped) == 2
    assert not {shown, CONVERSATIONS["0"][1]} & set(swapped)


def test_empty_and_overlong_turns_keep_their_text_measures():
    long = turn("0", text="Why should I pinch off the flowers?", tokens=range(10, 60))
    turns = [long, turn("1"), turn("2", text=" ", tokens=())]
    layout = plan(turns, Spelling(), "history", Ground(swaps=1), 0, 150)
    assert layout.too_long == (long,)
    assert [one.key[1] for one in layout.unscored] == ["2"]
    assert [group.turns[0].key[1] for group in layout.groups] == ["1"]
    rows = [row(one, {}) for one in (long, layout.unscored[0])]
    assert rows[0]["grounding"] is None
    assert rows[0]["echo"] > 0.5
    assert rows[1]["tokens"] == 0
    assert {rows[1][name] for name in ("grounding", "restatement", "loop")} == {None}


def test_a_row_has_the_columns_of_the_schema():
    assert set(row(turn(), {})) == set(schemas.columns("grounding"))
    for measure_ in kinds.load_all().values():
        assert set(measure_.contexts) <= set(contexts.load_all())
        assert measure_.meaning
        assert measure_.unit

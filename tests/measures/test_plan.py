"""What is scored behind what, and the measures that come of it."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations import CONVERSATIONS
from userturn.artifacts import schemas
from userturn.artifacts.messages import Message, Query, messages_of
from userturn.base.errors import TemplateError
from userturn.engines.base import ScoreRequest
from userturn.measures import contexts, kinds
from userturn.measures.measurable import Measurable
from userturn.measures.measure import columns, measure
from userturn.measures.plan import plan
from userturn.study.classify import Ground

GROUND = Ground(scorer="x", neutral=["Okay.", "Sure."])


def turn(item="0", text="Why?", tokens=(7, 8), answer=None, sample=0, earlier=()):
    query, own, _ = CONVERSATIONS[item]
    key = ("d", item, "base", 0.0, sample, "shown")
    given = own if answer is None else answer
    return Measurable(key, query, given, text, tuple(tokens), tuple(earlier))


REFUSED = "</think>"


class Spelling:
    """A stand-in for roles.Chat: an id per character; `1` opens a user turn, `2` an answer."""

    def first_context(self) -> tuple[int, ...]:
        return (1,)

    def user_context(self, query: Query, answer: str, mode: str) -> tuple[int, ...]:
        return (*self._said(query, answer), 0, 1)

    def assistant_context(self, query: Query, answer: str, mode: str) -> tuple[int, ...]:
        return (*self._said(query, answer), 0, 2)

    def _said(self, query: Query, answer: str) -> tuple[int, ...]:
        texts = [one.content for one in messages_of(query)]
        if REFUSED in texts:
            raise TemplateError("the template alters it")
        return self.encode_content("/".join([*texts, answer]))

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


def layout_of(turns, limit=None, ground=GROUND):
    return plan(turns, Spelling(), "history", ground, limit)


def expected(one: Measurable) -> dict[str, float]:
    """A, Q and V straight from their definition."""
    chat = Spelling()

    def log_p(context: tuple[int, ...]) -> list[float]:
        return [
            Scorer.log_p(context + one.tokens[:at], token) for at, token in enumerate(one.tokens)
        ]

    own = log_p(chat.user_context(one.query, one.answer, "history"))
    neutral = [log_p(chat.user_context(one.query, text, "history")) for text in GROUND.neutral]
    voice = log_p(chat.assistant_context(one.query, one.answer, "history"))
    size, behind = len(one.tokens), sum(map(sum, neutral)) / 2
    return {
        "uptake": (sum(own) - behind) / size,
        "relevance": (behind - sum(log_p(chat.first_context()))) / size,
        "role_voice": (sum(own) - sum(voice)) / size,
    }


TOKENS = st.lists(st.integers(10, 200), min_size=1, max_size=6)


@given(st.lists(st.tuples(st.sampled_from("0123"), TOKENS), min_size=1, max_size=12))
def test_measures_follow_their_definition(drawn):
    turns = [turn(item, tokens=tokens, sample=n) for n, (item, tokens) in enumerate(drawn)]
    rows = {one.key: columns(one, log_p) for one, log_p in measure(layout_of(turns), Scorer())}
    assert set(rows) == {one.key for one in turns}
    for one in turns:
        for name, value in expected(one).items():
            assert rows[one.key][name] == pytest.approx(value, abs=1e-3)
        assert len(rows[one.key]["log_p_neutral"]) == rows[one.key]["tokens"] == len(one.tokens)


def test_every_context_is_asked_for_once_however_many_turns_share_it():
    turns = [turn(item, tokens=(n, 9), sample=n) for item in "01" for n in range(5)]
    layout = layout_of(turns)
    asked = [one.request.context for group in layout.groups for one in group.asked]
    # Own and assistant share theirs but for the header; two neutral ones; alone.
    assert [len(group.asked) for group in layout.groups] == [4, 4]
    assert len(set(asked)) == 7, "the empty conversation is the same for every prompt"
    assert {len(request.targets) for request in layout.requests} == {5, 10}


def test_equal_turns_are_scored_once_and_so_are_those_that_met_one_answer():
    shown = CONVERSATIONS["1"][1]
    turns = [turn(sample=n) for n in range(9)] + [turn(answer=shown, sample=9)]
    first, second = layout_of(turns).groups
    assert (len(first.turns), len(first.asked[0].targets)) == (9, 1)
    assert second.layout["own"][0].answer == shown
    assert second.layout["neutral"] == first.layout["neutral"]


HISTORY = (Message("system", "Be kind."), Message("user", "Hi"), Message("assistant", "Hello"))


def test_a_history_stands_in_front_of_every_query_and_in_no_other_context():
    plain, told = turn(sample=0), turn(sample=1, earlier=HISTORY)
    layout = layout_of([plain, told])
    assert [len(group.turns) for group in layout.groups] == [1, 1], "other conversations"
    contexts = layout.groups[1].layout
    for name in ("own", "neutral", "assistant"):
        for one in contexts[name]:
            assert [message.content for message in messages_of(one.query)] == [
                "Be kind.", "Hi", "Hello", plain.query,
            ]  # fmt: skip
    assert contexts["alone"] == layout.groups[0].layout["alone"]
    own = layout.groups[1].asked[0].request.context
    assert "".join(map(chr, own[:-1])).startswith("Be kind./Hi/Hello/How do I keep basil")


def test_words_are_compared_with_the_last_user_turn():
    earlier = (Message("user", "Who wrote Middlemarch?"), Message("assistant", "George Eliot."))
    told = turn("0", text="Who wrote Middlemarch?", earlier=earlier)
    restated = turn("0", text=CONVERSATIONS["0"][0], earlier=earlier)
    assert columns(told)["restatement"] < 0.5
    assert columns(restated)["restatement"] == 1


def test_a_conversation_that_the_scorers_template_alters_gets_no_likelihoods():
    odd, good = turn(earlier=[Message("user", REFUSED), Message("assistant", "x")]), turn("1")
    layout = layout_of([odd, good])
    assert (layout.refused, len(layout.groups)) == ((odd,), 1)


def test_empty_and_overlong_turns_keep_their_text_measures():
    long = turn("0", text="Why should I pinch off the flowers?", tokens=range(10, 60))
    turns = [long, turn("1"), turn("2", text=" ", tokens=())]
    layout = layout_of(turns, limit=150)
    assert layout.too_long == (long,)
    assert [one.key[1] for one in layout.unscored] == ["2"]
    assert [group.turns[0].key[1] for group in layout.groups] == ["1"]
    rows = [columns(one) for one in (long, layout.unscored[0])]
    assert rows[0]["uptake"] is rows[0]["log_p"] is rows[0]["token_texts"] is None
    assert rows[0]["echo"] > 0.5
    assert rows[1]["tokens"] == 0
    assert {rows[1][name] for name in ("uptake", "restatement", "loop")} == {None}


def test_columns_are_those_of_the_schema():
    assert set(columns(turn())) == set(schemas.measured())
    for one in kinds.load_all().values():
        assert set(one.contexts) <= set(contexts.load_all())
        assert one.meaning
        assert one.unit

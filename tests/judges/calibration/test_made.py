"""Turns made by rule are what their kind says, and never leave the fold of their query."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from userturn.artifacts.labels import Label
from userturn.judges.calibration import made, sets
from userturn.judges.calibration.conversations import Conversation
from userturn.judges.calibration.reference import fold
from userturn.measures import overlap
from userturn.study.loading import load_study

ROOT = Path(__file__).parents[3]
LAPTOP = load_study(ROOT / "studies/laptop.yaml")


def test_the_shipped_set_gives_every_kind_for_every_conversation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    every = LAPTOP.calibrate.model_copy(update={"per_set": None, "sets": ["own"], "folds": 2})
    turns = sets.read(LAPTOP.model_copy(update={"calibrate": every}))
    by_kind = {kind: [one for one in turns if one.kind == kind] for kind in {m.kind for m in turns}}
    count = len(by_kind["true"])
    assert count >= 24
    assert {len(of) for kind, of in by_kind.items() if kind != "rest"} == {count}
    assert "far" not in by_kind, "there is no other set"
    for one in by_kind["paraphrased"] + by_kind["restated"]:
        assert one.label is Label.RESTATEMENT
        assert set(overlap.words(one.text)) & set(overlap.words(one.query))
    whole = {one.item: one.answer for one in by_kind["true"]}
    for one in by_kind["rest"]:
        assert whole[one.item].startswith(one.answer)
        assert one.text.split()[0] in whole[one.item].removeprefix(one.answer)


CONVERSATIONS = st.lists(
    st.builds(
        Conversation,
        st.just("s"),
        st.uuids().map(str),
        st.text(),
        st.text(),
        st.text(),
        st.text(),
        st.booleans(),
    ),
    max_size=12,
)


@given(CONVERSATIONS, CONVERSATIONS, st.integers(2, 6))
def test_a_moved_turn_is_of_another_conversation_of_the_same_fold(near, far, folds):
    pools = {"moved": near, "far": far}
    for one in made.make({"near": near, "far": far}, folds):
        home = any(at.item == one.item for at in near)
        if one.kind in pools:
            assert one.label is Label.UNRELATED
            pool = near if home == (one.kind == "moved") else far
            same = {at.turn for at in pool if fold(at.query, folds) == one.fold(folds)}
            assert one.text in same
            assert one.text != next(at.turn for at in (*near, *far) if at.item == one.item)


@given(CONVERSATIONS)
def test_keys_are_unique_and_the_order_is_stable(conversations):
    turns = made.make({"own": conversations}, 5)
    keys = [(one.item, one.kind, one.number) for one in turns]
    assert len(keys) == len(set(keys))
    assert turns == made.make({"own": conversations}, 5)
    assert not any(one.read for one in turns)


def test_rules_leave_short_texts_alone():
    assert made.halves("One sentence.") == ("One sentence.", "")
    assert made.restated("Why?") == "Why?"
    assert made.make({"own": []}, 3) == []

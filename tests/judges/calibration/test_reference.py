"""Reference turns are what their kind says, and never leave the fold of their conversation."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from userturn.artifacts.labels import Label
from userturn.base.errors import SourceError
from userturn.judges.calibration import reference
from userturn.judges.calibration.reference import Conversation, Reference
from userturn.measures import overlap
from userturn.study.loading import load_study
from userturn.study.study import Study

ROOT = Path(__file__).parents[3]
LAPTOP = load_study(ROOT / "studies/laptop.yaml")


def shipped(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Conversation]]:
    monkeypatch.chdir(ROOT)
    every = LAPTOP.calibrate.model_copy(update={"per_set": None})
    return reference.read(LAPTOP.model_copy(update={"calibrate": every}))


def test_the_shipped_set_gives_every_kind_for_every_conversation(monkeypatch):
    sets = shipped(monkeypatch)
    made = reference.make(sets, 2)
    count = len(sets["own"])
    assert count >= 24
    kinds = {kind: [one for one in made if one.kind == kind] for kind in {m.kind for m in made}}
    assert {len(found) for kind, found in kinds.items() if kind != "rest"} == {count}
    assert "far" not in kinds  # there is no other set
    for one in kinds["true"]:
        assert one.text == one.at.turn
        assert one.label is (Label.FOLLOWUP if one.at.reacts else Label.UNRELATED)
    for one in kinds["paraphrased"] + kinds["restated"]:
        assert one.label is Label.RESTATEMENT
        assert overlap.content_overlap(one.text, one.at.query) > 0.3
    for one in kinds["rest"]:
        assert one.at.answer.startswith(one.answer)
        assert one.text.split()[0] in one.at.answer.removeprefix(one.answer)


CONVERSATIONS = st.lists(
    st.builds(
        Conversation, st.just("s"), st.text(), st.text(), st.text(), st.text(), st.booleans()
    ),
    max_size=12,
)


@given(CONVERSATIONS, CONVERSATIONS, st.integers(2, 6))
def test_a_moved_turn_is_of_another_conversation_of_the_same_fold(near, far, folds):
    sets = {"near": near, "far": far}
    turns = {name: {(c.fold(folds), c.turn) for c in sets[name]} for name in sets}
    for one in reference.make(sets, folds):
        home = "near" if one.at in near else "far"
        if one.kind in ("moved", "far"):
            assert one.label is Label.UNRELATED
            assert one.text != one.at.turn
            name = home if one.kind == "moved" else {"near": "far", "far": "near"}[home]
            # A conversation that stands in both sets may be counted to either.
            pool = turns[name] if not set(near) & set(far) else turns["near"] | turns["far"]
            assert (one.at.fold(folds), one.text) in pool


@given(CONVERSATIONS)
def test_keys_are_unique_and_the_order_is_stable(conversations):
    made = reference.make({"own": conversations}, 5)
    keys = [(one.item, one.kind) for one in made]
    assert len(keys) == len(set(keys))
    assert made == reference.make({"own": conversations}, 5)


def entries(tmp_path: Path, **entry: object) -> Study:
    raw = LAPTOP.model_dump(mode="json")
    raw["reference"] = {"x": {"source": {"type": "file", "path": str(tmp_path / "a")}, **entry}}
    raw["calibrate"]["sets"] = ["x"]
    return Study.model_validate(raw)


def test_published_sets_are_read(tmp_path):
    def write(name: str, *lines: dict[str, object]) -> None:
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))

    followup = "A: And if it were 5?\n\nB: Then 6.\n\nA: And 7?\n\nB: Then 8."
    write("a", {"question": "1 + 3?", "answer": "<<1+3=4>>4\n#### 4", "followup": followup})
    (found,) = reference.read(entries(tmp_path, kind="mathchat"))["x"]
    assert found == Conversation(
        "x", "1 + 3?", "4\nThe answer is 4", "And if it were 5?", "Then 6.", True
    )

    history = [{"user": "q", "bot": "a"}, {"user": "u", "bot": "r"}]
    write("a", {"task": "CR", "history": history}, {"task": "TS", "history": history})
    study = entries(tmp_path, kind="mtbench101", task="TS", reacts=False)
    assert reference.read(study)["x"] == [Conversation("x", "q", "a", "u", "r", False)]

    write("a", {"question_id": 1, "turns": ["q", "u"]}, {"question_id": 2, "turns": ["p", "v"]})
    write("b", {"question_id": 2, "choices": [{"turns": ["a", "r"]}]})
    answers = {"type": "file", "path": str(tmp_path / "b")}
    study = entries(tmp_path, kind="mt_bench", answers=answers)
    assert reference.read(study)["x"] == [Conversation("x", "p", "a", "v", "r", True)]


@pytest.mark.parametrize(
    ("entry", "text", "message"),
    [
        ({"kind": "conversations"}, '{"query": "q"}\n', r"reference\.x: .*a is not of kind"),
        ({"kind": "mathchat"}, "{\n", r"is not of kind 'mathchat'"),
        ({"kind": "mtbench101", "task": "XY"}, "", r"holds no conversation; check `task`"),
        ({"kind": "mt_bench"}, "{}\n", r"needs the key `answers`"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path, entry, text, message):
    (tmp_path / "a").write_text(text)
    with pytest.raises(SourceError, match=message):
        reference.read(entries(tmp_path, **entry))


def test_rules_leave_short_texts_alone():
    assert reference.halves("One sentence.") == ("One sentence.", "")
    assert reference.restated("Why?") == "Why?"
    assert isinstance(reference.make({"own": []}, 3), list)
    assert Reference.__slots__

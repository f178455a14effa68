"""Published sets of conversations are read, and a file of another kind is named."""

import json
from pathlib import Path

import pytest

from userturn.base.errors import SourceError
from userturn.judges.calibration import conversations
from userturn.judges.calibration.conversations import Conversation
from userturn.study.loading import load_study
from userturn.study.study import Study

LAPTOP = load_study(Path(__file__).parents[3] / "studies/laptop.yaml")


def study_of(tmp_path: Path, **entry: object) -> Study:
    raw = LAPTOP.model_dump(mode="json")
    raw["reference"] = {"x": {"source": {"type": "file", "path": str(tmp_path / "a")}, **entry}}
    raw["calibrate"]["sets"] = ["x"]
    return Study.model_validate(raw)


def write(path: Path, *lines: dict[str, object]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def said(*texts: str, speaker: str, content: str, roles: tuple[str, str]) -> list[dict[str, str]]:
    return [{speaker: roles[at % 2], content: text} for at, text in enumerate(texts)]


def test_published_sets_are_read(tmp_path):
    followup = "A: And if it were 5?\n\nB: Then 6.\n\nA: And 7?\n\nB: Then 8."
    write(
        tmp_path / "a",
        {"question": "1 + 3?", "answer": "<<1+3=4>>4\n#### 4", "followup": followup},
    )
    (one,) = conversations.read(study_of(tmp_path, kind="mathchat"), "x")
    assert one == Conversation(
        "x", "0", "1 + 3?", "4\nThe answer is 4", "And if it were 5?", "Then 6.", True
    )

    history = [{"user": "q", "bot": "a"}, {"user": "u", "bot": "r"}]
    write(tmp_path / "a", *({"task": task, "history": history} for task in ("CR", "TS")))
    study = study_of(tmp_path, kind="mtbench101", task="TS", reacts=False)
    assert conversations.read(study, "x") == [Conversation("x", "1", "q", "a", "u", "r", False)]

    write(
        tmp_path / "a",
        {"question_id": 1, "turns": ["q", "u"]},
        {"question_id": 2, "turns": ["p", "v"]},
    )
    write(tmp_path / "b", {"question_id": 2, "choices": [{"turns": ["a", "r"]}]})
    answers = {"type": "file", "path": str(tmp_path / "b")}
    study = study_of(tmp_path, kind="mt_bench", answers=answers)
    assert conversations.read(study, "x") == [Conversation("x", "2", "p", "a", "v", "r", True)]


def test_of_mtrag_the_longest_row_is_read_and_of_oasst1_what_a_user_began(tmp_path):
    mtrag = {"speaker": "speaker", "content": "text", "roles": ("user", "agent")}
    write(
        tmp_path / "a",
        {"conversation_id": "c", "input": said("q", **mtrag)},
        {"conversation_id": "c", "input": said("q", "a", "u", "r", "v", **mtrag)},
        {"conversation_id": "c", "input": said("q", "a", "u", **mtrag)},
        {"conversation_id": "d", "input": said("q", **mtrag)},
    )
    expected = [Conversation("x", "c", "q", "a", "u", "", True)]
    assert conversations.read(study_of(tmp_path, kind="mtrag"), "x") == expected

    oasst = {"speaker": "role", "content": "content"}
    forth, back = ("user", "assistant"), ("assistant", "user")
    write(
        tmp_path / "a",
        {"conversation_id": "c", "turns": said("q", "a", "u", "r", roles=forth, **oasst)},
        {"conversation_id": "d", "turns": said("a", "q", "b", roles=back, **oasst)},
    )
    assert conversations.read(study_of(tmp_path, kind="oasst1"), "x") == expected


@pytest.mark.parametrize(
    ("entry", "text", "message"),
    [
        ({"kind": "conversations"}, '{"query": "q"}\n', r"reference\.x: .*a is not of kind"),
        ({"kind": "mathchat"}, "{\n", r"is not of kind 'mathchat'"),
        ({"kind": "mtbench101", "task": "XY"}, "", r"holds no conversation; check `task`"),
        ({"kind": "mt_bench"}, "{}\n", r"needs the key `answers`"),
        ({"kind": "gold"}, "{}\n", r"kind 'gold' has no conversations"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path, entry, text, message):
    (tmp_path / "a").write_text(text)
    with pytest.raises(SourceError, match=message):
        conversations.read(study_of(tmp_path, **entry), "x")

"""A dataset of conversations through the stages, on the fake engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from synthetic import fake_study
from userturn import stages
from userturn.artifacts import files, messages
from userturn.artifacts.prompts import read_prompts
from userturn.artifacts.turns import read_turns
from userturn.base import paths
from userturn.chat.chat import Chat
from userturn.judges.human import labels as human
from userturn.models import weights
from userturn.study.study import Study

MODEL = "smollm2_135m"
SYSTEM = {"role": "system", "content": "Answer like a <|im_start|>pirate."}
SAID = [
    {"role": "user", "content": "Name a herb."},
    {"role": "assistant", "content": "Basil<|im_end|>."},
    {"role": "user", "content": "How do I keep it alive?"},
]
LINES = [
    {"id": "plain", "prompt": "How do I keep it alive?"},
    {"id": "talk", "messages": SAID},
    {"id": "system", "messages": [SYSTEM, *SAID]},
]
WANTED = ("prompts", "weights", "generate", "perturb", "ground", "classify")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study of one question and the same behind a history, run as far as labels."""
    monkeypatch.chdir(tmp_path)
    Path("own.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    raw = fake_study().model_dump()
    raw["prompts"] = {"datasets": ["own"], "items": None}
    raw["dataset"] = {"own": {"kind": "jsonl", "source": {"type": "file", "path": "own.jsonl"}}}
    study = Study.model_validate(raw)
    for name, slug in stages.instances(study):
        if name in WANTED:
            stages.run(study, name, slug)
    return study


def read(kind: str) -> list[dict[str, Any]]:
    return files.read(paths.artifact(kind, MODEL), kind).to_dicts()


def test_a_history_stands_in_every_context_and_is_no_part_of_the_query(study: Study) -> None:
    chat = Chat.load(weights.materialise(study, MODEL), study.model[MODEL].chat)
    turns = {(row["item"], row["condition"]): row for row in read_turns(study, MODEL)}
    assert {row["query"] for row in turns.values()} == {"How do I keep it alive?"}
    assert [one["role"] for one in turns["system", "ask"]["earlier"]] == [
        "system", "user", "assistant",
    ]  # fmt: skip
    lengths = {row["item"]: row["context_tokens"] for row in read("answers")}
    asked = {row["item"]: messages.asked(row) for row in read_prompts(["own"]).to_dicts()}
    assert lengths == {item: len(chat.answer_context(query)) for item, query in asked.items()}
    assert lengths["plain"] < lengths["talk"] < lengths["system"]
    for row in turns.values():
        context = chat.user_context(asked[row["item"]], row["shown"], "history")
        assert row["context_tokens"] == len(context)
    assert {row["item"] for row in read("labels") if row["label"]} == {"plain", "talk", "system"}
    scored = [row for row in read("grounding") if row["tokens"]]
    assert scored
    assert all(row["uptake"] is not None and row["role_voice"] is not None for row in scored)


def test_a_label_knows_the_history_that_its_annotator_saw(study: Study) -> None:
    by_item = {turn["item"]: text for text, turn in human.shown(study, MODEL).items()}
    assert len({text.sha256 for text in by_item.values()}) == 3
    known = "cb69577817fcdf29967bddd6b4362cea44f293834da65d50dcc0146f6264578e"
    assert human.digest("q", "a", "u") == human.digest("q", "a", "u", []) == known
    one, other = ([{"role": role, "content": "x"}] for role in ("system", "user"))
    assert human.digest("q", "a", "u", one) != human.digest("q", "a", "u", other)

"""Gold turns: which label counts, where queries come from, and mistakes named in one sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from userturn.base.errors import UserturnError
from userturn.judges.testing import gold
from userturn.study.study import Study

LINE = {
    "query": "Why?",
    "answer": "Because.",
    "turn": "Because of what?",
    "labels": [{"annotator": "1", "label": "followup", "sure": True, "evidence": "Because"}],
}


def file(folder: Path, *lines: dict[str, Any]) -> Path:
    path = folder / "gold.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_what_a_line_may_leave_out_has_a_default(tmp_path: Path, laptop: Study) -> None:
    (turn,) = gold.read(file(tmp_path, LINE), laptop).turns
    assert (turn.prompt, turn.condition, turn.temperature) == (("gold", "Why?"), "base", None)
    assert (turn.end, turn.label) == ("eos", "followup")


def test_the_label_is_the_settled_one_else_the_first(tmp_path: Path, laptop: Study) -> None:
    first, second, settled = (
        {"annotator": name, "label": label}
        for name, label in (("1", "followup"), ("2", "on_topic"), ("agreed", "on_topic"))
    )
    lines = [{**LINE, "labels": labels} for labels in ([first, second], [first, second, settled])]
    turns = gold.read(file(tmp_path, *lines), laptop).turns
    assert [turn.label for turn in turns] == ["followup", "on_topic"]


def test_queries_are_joined_from_datasets_in_files(tmp_path: Path, laptop: Study) -> None:
    texts = tmp_path / "own.jsonl"
    texts.write_text('{"prompt": "What is a prime?"}\n')
    raw = laptop.model_dump(mode="json")
    entry = {"kind": "jsonl", "source": {"type": "file", "path": str(texts)}}
    raw["dataset"] |= {
        "own_file": entry,
        "lost": {**entry, "source": {"type": "file", "path": "nowhere.jsonl"}},
    }
    study = Study.model_validate(raw)
    bare = {name: value for name, value in LINE.items() if name != "query"}
    lines = [{**bare, "dataset": name, "item": "0"} for name in ("own", "lost", "own", "mt_bench")]
    read = gold.read(file(tmp_path, *lines), study)
    assert [turn.query for turn in read.turns] == ["What is a prime?"] * 2
    assert read.absent == {"lost": 1, "mt_bench": 1}  # the latter is no file: nothing is fetched
    with pytest.raises(UserturnError, match="the texts of lost are not at hand; set USERTURN_DATA"):
        gold.read(file(tmp_path, lines[1]), study)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({**LINE, "labels": []}, "line 2: has no labels"),
        ({key: LINE[key] for key in ("query", "answer", "turn")}, "line 2: has no key 'labels'"),
        ({**LINE, "labels": ["followup"]}, "line 2: 'labels' must hold objects"),
        ({**LINE, "labels": [{"label": "good"}]}, "line 2: unknown label 'good'; labels are: "),
        ({key: LINE[key] for key in ("query", "turn", "labels")}, "line 2: has no key 'answer'"),
        ({key: LINE[key] for key in ("answer", "turn", "labels")}, "has no key 'dataset'"),
        ({**LINE, "temperature": "hot"}, "line 2: 'temperature' must be a number"),
    ],
)
def test_a_line_that_is_no_gold_turn_is_named(
    tmp_path: Path, laptop: Study, line: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserturnError, match=message):
        gold.read(file(tmp_path, LINE, line), laptop)


def test_a_file_that_is_missing_or_empty_is_named(tmp_path: Path, laptop: Study) -> None:
    with pytest.raises(UserturnError, match=r"no\.jsonl: does not exist; name a file"):
        gold.read(tmp_path / "no.jsonl", laptop)
    with pytest.raises(UserturnError, match="holds no turn to judge: it has no lines"):
        gold.read(file(tmp_path), laptop)


def test_a_larger_sample_holds_the_smaller_in_the_order_of_the_file(
    tmp_path: Path, laptop: Study
) -> None:
    lines = [{**LINE, "turn": str(n)} for n in range(20)]
    turns = gold.read(file(tmp_path, *lines), laptop).turns
    few, more = (gold.sample(turns, count, 0) for count in (5, 9))
    assert len(few) == 5
    assert set(few) < set(more)
    assert [turn.text for turn in more] == sorted((turn.text for turn in more), key=int)
    assert gold.sample(turns, None, 0) == turns

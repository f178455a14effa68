"""Turns with labels by reading: texts are joined from their dataset, and must be those read."""

import hashlib
import json
from pathlib import Path

import pytest

from userturn.artifacts.labels import Label
from userturn.base.errors import SourceError
from userturn.judges.calibration import labelled
from userturn.study.loading import load_study
from userturn.study.study import Study

ROOT = Path(__file__).parents[3]
LAPTOP = load_study(ROOT / "studies/laptop.yaml")
FIRST = {"annotator": "1", "label": "on_topic", "sure": True, "evidence": ""}
SECOND = {"annotator": "2", "label": "followup", "sure": True, "evidence": "a"}
AGREED = {"annotator": "agreed", "label": "followup", "sure": False, "evidence": "a"}
WRITTEN = {
    "dataset": "p", "item": "7", "condition": "swap", "temperature": 0.0, "sample": 0,
    "answer": "An answer.", "turn": "A turn.", "end": "length", "labels": [FIRST, SECOND],
}  # fmt: skip


def study_of(tmp_path: Path, *lines: dict[str, object], **entry: object) -> Study:
    (tmp_path / "turns").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "A query.", "id": "7"}\n')
    (tmp_path / "talk").write_text('{"query": "q", "answer": "a", "turn": "t"}\n')

    def file(name: str) -> dict[str, str]:
        return {"type": "file", "path": str(tmp_path / name)}

    raw = LAPTOP.model_dump(mode="json")
    raw["dataset"]["p"] = {"kind": "jsonl", "source": file("prompts.jsonl")}
    raw["reference"] = {
        "x": {"source": file("turns"), **entry},
        "talk": {"kind": "conversations", "source": file("talk")},
    }
    raw["calibrate"]["sets"] = ["x"]
    return Study.model_validate(raw)


def test_a_gold_turn_stands_behind_its_query_with_the_label_that_counts(tmp_path):
    again = {**WRITTEN, "labels": [FIRST, SECOND, AGREED]}
    other = {**WRITTEN, "dataset": "other"}
    study = study_of(tmp_path, WRITTEN, other, again, kind="gold", prompts="p")
    one, two = labelled.gold(study, "x")
    assert (one.set, one.item, one.kind, one.read) == ("x", "7", "gold", True)
    assert (one.query, one.answer, one.text) == ("A query.", "An answer.", "A turn.")
    assert (one.condition, one.temperature, one.end) == ("swap", 0.0, "length")
    assert (one.label, one.sure, one.number) == (Label.ON_TOPIC, True, 0)
    assert (two.label, two.sure, two.number) == (Label.FOLLOWUP, False, 1)


def test_turns_of_items_that_a_dataset_lacks_are_left_out_and_counted(tmp_path, capsys):
    study = study_of(
        tmp_path, WRITTEN, {**WRITTEN, "item": "8"}, kind="gold", prompts="p", dataset="p"
    )
    assert len(labelled.gold(study, "x")) == 1
    assert "1 of 2 turns are behind items that dataset 'p' lacks" in capsys.readouterr().err


def test_a_real_turn_is_the_one_that_was_read(tmp_path):
    digest = hashlib.sha256(json.dumps(["q", "a", "t"]).encode()).hexdigest()
    line = {"dataset": "talk", "item": "0", "sha256": digest, "labels": [FIRST]}
    study = study_of(tmp_path, line, kind="read", conversations="talk")
    (one,) = labelled.read(study, "x")
    assert (one.query, one.answer, one.text, one.source) == ("q", "a", "t", "talk")
    assert (one.condition, one.temperature, one.label) == (None, None, Label.ON_TOPIC)
    for change in ({"sha256": "0"}, {"item": "9"}):
        study = study_of(tmp_path, {**line, **change}, kind="read", conversations="talk")
        with pytest.raises(
            SourceError, match=r"conversation '.' of 'talk' is not the one that was"
        ):
            labelled.read(study, "x")


@pytest.mark.parametrize(
    ("lines", "entry", "message"),
    [
        ([WRITTEN], {"kind": "gold", "prompts": "nowhere"}, "must name an entry of `dataset`"),
        ([WRITTEN], {"kind": "gold"}, "must name an entry of `dataset`"),
        ([], {"kind": "gold", "prompts": "p"}, "holds no turn of 'p'"),
        ([{}], {"kind": "gold", "prompts": "p"}, "holds no labelled turns"),
    ],
)
def test_what_is_no_gold_is_named(tmp_path, lines, entry, message):
    with pytest.raises(SourceError, match=rf"reference\.x: .*{message}"):
        labelled.gold(study_of(tmp_path, *lines, **entry), "x")


def test_a_set_of_real_turns_names_conversations_that_there_are(tmp_path):
    for conversations, message in (("nowhere", "not in the registry"), (None, "needs the key")):
        study = study_of(tmp_path, kind="read", conversations=conversations)
        with pytest.raises(SourceError, match=message):
            labelled.read(study, "x")

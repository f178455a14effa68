"""Files of human labels: what is in force, and lines that cannot be read."""

from __future__ import annotations

import pytest

from userturn.artifacts.labels import Label
from userturn.base.errors import ArtifactError, UserturnError
from userturn.judges.human import labels as human

KEY = {"model": "m", "dataset": "d", "item": "1", "condition": "base", "temperature": 0.7}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    human.FOLDER.mkdir(parents=True)


def line(label, sample=0, text="u"):
    return human.Annotation(
        **KEY,
        sample=sample,
        sha256=human.digest("q", "a", text),
        label=label,
        seconds=1.5,
        time="2026-01-01T00:00:00+00:00",
    )


def write(name, *lines, end=""):
    content = "".join(f"{entry.model_dump_json()}\n" for entry in lines)
    (human.FOLDER / f"{name}.jsonl").write_text(content + end)


def test_the_last_line_on_a_text_is_in_force():
    write("ann", line("meta"), line("followup", 1), line(None), line("generic"), line("skip", 2))
    write("bob", line("followup"), line(None))
    found = human.read_all()
    assert {text.sample: label for text, label in found["ann"].items()} == {
        0: Label.GENERIC,
        1: Label.FOLLOWUP,
    }
    assert set(found) == {"ann"}, "who took everything back gave no label"


def test_a_label_belongs_to_a_text():
    write("ann", line("meta"), line("followup", text="another"))
    assert sorted(human.read_all()["ann"].values()) == ["followup", "meta"]


@pytest.mark.parametrize(
    ("query", "answer", "turn"), [("qa", "", "u"), ("q", "au", ""), ("q", "a", "u ")]
)
def test_the_digest_tells_the_three_texts_apart(query, answer, turn):
    assert human.digest(query, answer, turn) != human.digest("q", "a", "u")


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ('{"model": "m"', r"ann\.jsonl, line 2: cannot be read \(: Invalid JSON"),
        ('{"model": "m"}\n', r"ann\.jsonl, line 2: cannot be read \(dataset: Field required"),
        (line("meta").model_dump_json().replace("meta", "nope"), "line 2: cannot be read .label"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(end, message):
    write("ann", line("meta"), end=end)
    with pytest.raises(ArtifactError, match=message):
        human.read_all()


def test_the_sample_is_nobodys_labels():
    (human.FOLDER / "sample.jsonl").write_text("not labels\n")
    assert human.read_all() == {}
    for name in ("sample", "Ann", "a.b", "../x", ""):
        with pytest.raises(UserturnError, match="a name is made of a-z, 0-9 and _"):
            human.file_of(name)


def test_a_line_that_is_not_utf8_is_named(tmp_path):
    path = tmp_path / "ann.jsonl"
    path.write_bytes(b"\xff\xfe{}\n")
    with pytest.raises(ArtifactError, match="line 1: cannot be read"):
        human.read_lines(path, human.Annotation)

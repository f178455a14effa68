"""Labels from a file: every good row is taken, and of a file with a bad one none."""

from __future__ import annotations

import csv
import fcntl
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthetic import make_study, write_artifacts
from userturn.annotate import importing
from userturn.artifacts import files
from userturn.artifacts.labels import Label
from userturn.base import paths
from userturn.base.errors import UserturnError
from userturn.judges.human import labels as human

MODELS = {"small": ("One", 0.1), "large": ("One", 1)}
FULL = {"model": "small", "dataset": "gsm8k", "item": "0001", "condition": "base",
        "temperature": "0", "sample": "0", "label": "followup"}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        study = make_study(MODELS, ("gsm8k", "mt_bench"), (0.0, 1.0), 2, ("swap",))
        write_artifacts(study, items=3)
    return study, folder


@pytest.fixture
def study(made, monkeypatch, tmp_path):
    study, folder = made
    monkeypatch.chdir(folder)
    monkeypatch.setattr(human, "FOLDER", tmp_path / "human")
    return study


def jsonl(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def table(path, *rows):
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    return path


def of(annotator):
    return {text.turn_id: label for text, label in human.read_all()[annotator].items()}


@pytest.mark.parametrize("write", [table, jsonl])
def test_labels_of_both_forms_are_taken_into_the_store_of_annotate(study, tmp_path, write):
    rows = [
        {**FULL, "annotator": "ann", "note": "passed over"},
        {**FULL, "annotator": "ben", "label": "meta", "condition": "swap"},
        {**FULL, "annotator": "ann", "item": "0002", "label": ""},
        {**FULL, "annotator": "ann", "item": "0000", "label": "skip"},
    ]
    file = write(tmp_path / ("in.csv" if write is table else "in.jsonl"), *rows)
    taken = importing.take(study, file)
    assert [(one.path.stem, one.new, one.same) for one in taken] == [("ann", 2, 0), ("ben", 1, 0)]
    assert of("ann") == {("small", "gsm8k", "0001", "base", 0.0, 0): Label.FOLLOWUP}
    assert of("ben") == {("small", "gsm8k", "0001", "swap", 0.0, 0): Label.META}
    now = human.shown(study, "small")
    assert all(text in now for labels in human.read_all().values() for text in labels)


def test_the_same_file_again_adds_nothing_and_a_new_label_takes_over(study, tmp_path):
    importing.take(study, table(tmp_path / "a.csv", FULL), "ann")
    before = human.file_of("ann").read_bytes()
    (again,) = importing.take(study, table(tmp_path / "a.csv", FULL), "ann")
    assert (again.new, again.same) == (0, 1)
    assert human.file_of("ann").read_bytes() == before
    importing.take(study, table(tmp_path / "b.csv", {**FULL, "label": "meta"}), "ann")
    assert human.file_of("ann").read_bytes().startswith(before)
    assert list(of("ann").values()) == [Label.META]


def test_a_file_of_annotate_itself_can_be_taken(study, tmp_path):
    importing.take(study, table(tmp_path / "a.csv", FULL), "ann")
    file = tmp_path / "ann.jsonl"
    file.write_bytes(human.file_of("ann").read_bytes())
    importing.take(study, file, "ben")
    assert human.file_of("ann").read_bytes() == human.file_of("ben").read_bytes()


def test_a_row_says_no_more_than_it_must(study, tmp_path):
    short = {"model": "large", "dataset": "gsm8k", "item": "0002", "condition": "swap"}
    importing.take(study, jsonl(tmp_path / "a.jsonl", {**short, "label": "generic"}), "ann")
    assert of("ann") == {("large", "gsm8k", "0002", "swap", 0.0, 0): Label.GENERIC}


def test_a_text_in_a_cell_is_compared_as_a_spreadsheet_keeps_it(study, tmp_path, monkeypatch):
    path = paths.artifact("user_turns", "small")
    rows = files.read(path, "user_turns").to_dicts()
    formula = [{**row, "text": "=1+1"} for row in rows]
    original = path.read_bytes()
    try:
        files.write(path, "user_turns", formula, {"stage": "synthetic"})
        for number, text in enumerate(["=1+1", "'=1+1"]):
            row = {**FULL, "turn": text}
            importing.take(study, table(tmp_path / f"{number}.csv", row), f"ann{number}")
        with pytest.raises(UserturnError, match="another text"):
            importing.take(study, table(tmp_path / "c.csv", {**FULL, "turn": "=1+2"}), "ann")
    finally:
        path.write_bytes(original)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"label": "good"}, r"label: Input should be 'followup', 'on_topic'"),
        ({"item": "9999"}, "the study has no turn of model small, dataset gsm8k, item 9999"),
        ({"model": "tiny"}, "the study has no turn of model tiny"),
        ({"temperature": "0.3"}, "no turn of .* temperature 0.3"),
        ({"temperature": "warm"}, "temperature: Input should be a valid number"),
        ({"sample": "one"}, "sample: Input should be a valid integer"),
        ({"temperature": "", "sample": ""}, "means 3 turns; say temperature, sample as well"),
        ({"model": ""}, "means 2 turns; say model as well"),
        ({"item": ""}, "item: Field required"),
        ({"annotator": "../ann"}, "a name is made of a-z"),
        ({"annotator": ""}, "says no `annotator`"),
        ({"sha256": "0" * 64}, "has another text than the one that was read"),
        ({"item": "0001", "label": "meta"}, "another label to a turn that 'ann' labelled above"),
        ({"seconds": "-1"}, "seconds: "),
    ],
)
@pytest.mark.parametrize("write", [table, jsonl])
def test_a_bad_row_is_named_by_its_line_and_nothing_is_taken(
    study, tmp_path, write, change, problem
):
    first = {**FULL, "annotator": "ann"}
    name = "in.csv" if write is table else "in.jsonl"
    rows = first, {**first, "item": "0000", **change}, {**first, "annotator": "ben"}
    file = write(tmp_path / name, *rows)
    line = 3 if write is table else 2
    with pytest.raises(UserturnError, match=rf"in\.\w+, line {line}: .*{problem}") as error:
        importing.take(study, file)
    assert "no label of the file was taken" in str(error.value)
    assert not human.FOLDER.exists()


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.xlsx", b"PK", r"ends in \.csv or \.jsonl"),
        ("a.csv", b"item,label\n\xff\xfe,meta\n", "save it as UTF-8"),
        ("a.csv", b"item,label\n1,meta,more\n", "line 2: has more cells than the header"),
        ("a.csv", b'item,label\n"1,meta\n', "cannot be read"),
        ("a.csv", b"", "holds no label"),
        ("a.csv", b"item,lable\n0001,meta\n", "holds no label"),
        ("a.jsonl", b"{\n", "line 1: is no JSON"),
        ("a.jsonl", b"[1]\n", "line 1: is no JSON object"),
        ("a.jsonl", b"[" * 100_000, "line 1: is no JSON"),
    ],
)
def test_a_file_that_is_none_is_refused(study, tmp_path, name, content, problem):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserturnError, match=problem):
        importing.take(study, tmp_path / name, "ann")
    assert not human.FOLDER.exists()


def test_a_file_that_is_not_there_is_refused(study, tmp_path):
    with pytest.raises(UserturnError, match=re.escape(str(tmp_path / "none.csv"))):
        importing.take(study, tmp_path / "none.csv", "ann")


def test_an_annotator_at_work_is_left_alone(study, tmp_path):
    human.FOLDER.mkdir()
    rows = [{**FULL, "annotator": "ann"}, {**FULL, "annotator": "ben"}]
    with human.file_of("ben").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UserturnError, match="'ben' is at work"):
            importing.take(study, table(tmp_path / "a.csv", *rows))
    assert human.read_all() == {}


CELLS = st.dictionaries(st.sampled_from(list(importing.Row.model_fields)), st.text(), max_size=6)


@given(rows=st.lists(CELLS, max_size=4))
def test_both_forms_hold_the_same_rows(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("forms")
    rows = [{n: c.replace("\r", "").replace("\0", "") for n, c in row.items()} for row in rows]
    full = [row for row in rows if any(row.values())]
    forms = [
        [cells for _, cells in importing.read(table(folder / "a.csv", {"item": "x"}, *full))],
        [cells for _, cells in importing.read(jsonl(folder / "a.jsonl", {"item": "x"}, *full))],
    ]
    assert forms[0] == forms[1]

"""CSV files read back as they were written, and cannot harm whoever opens them."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from userturn.artifacts import csv_file
from userturn.artifacts.csv_file import FORMULA, UNSEEN, Kind, harmless, of
from userturn.base.errors import ArtifactError

COLUMNS = {
    "name": Kind.NAME,
    "text": Kind.TEXT,
    "count": Kind.COUNT,
    "number": Kind.NUMBER,
    "flag": Kind.FLAG,
}
ROW = {"name": "-a", "text": "a\nb", "count": 1_234_567, "number": -2 / 3, "flag": True}


def test_kinds_read_back(tmp_path):
    path = tmp_path / "t.csv"
    empty = {"name": None, "text": None, "count": None, "number": None, "flag": False}
    csv_file.write(path, COLUMNS, [ROW, empty])
    rows = csv_file.read(path, COLUMNS, "tables")
    assert rows == [
        {**ROW, "number": -0.666667},
        {"name": "", "text": "", "count": None, "number": None, "flag": False},
    ]
    assert path.read_text().splitlines()[0] == "name,text,count,number,flag"
    assert csv_file.number(-0.0) == "0"


@pytest.mark.parametrize("start", list("=+-@\t\uff1d"))
def test_no_text_is_a_formula(start, tmp_path):
    path = tmp_path / "t.csv"
    texts = [f"{start}1+1", f"'{start}1", f"''{start}1", f" {start}1", "'quoted'", "a=1"]
    csv_file.write(path, of(Kind.TEXT, "text"), [{"text": text} for text in texts])
    with path.open(newline="") as handle:
        cells = [cell for (cell,) in list(csv.reader(handle))[1:]]
    assert cells == [f"'{text}" for text in texts[:3]] + texts[3:]
    rows = csv_file.read(path, of(Kind.TEXT, "text"), "tables")
    assert [row["text"] for row in rows] == texts


def test_a_number_stays_one_and_a_name_is_ours(tmp_path):
    path = tmp_path / "t.csv"
    csv_file.write(path, COLUMNS, [{**ROW, "number": -1.5, "count": -2}])
    assert path.read_text().splitlines()[1:] == ['-a,"a', 'b",-2,-1.5,true']


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\0b", "a\\u0000b"),
        ("\x1b[31mred", "\\u001b[31mred"),
        ("\x9b2J", "\\u009b2J"),
        ("over\rwritten", "over\\u000dwritten"),
        ("abc\u202edef", "abc\\u202edef"),
        ("\u2066x\u2069\u200f", "\\u2066x\\u2069\\u200f"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("na\u00efve \u05e9\u05dc\u05d5\u05dd \U0001f468\u200d\U0001f469", None),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(text, shown):
    assert harmless(text) == (text if shown is None else shown)


@given(st.text())
def test_any_text_is_harmless_and_reads_back_but_for_what_is_spelled_out(text):
    cell = harmless(text)
    assert not UNSEEN.search(cell)
    assert cell[:1] not in set("=+-@\t\r")
    spelled = UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    assert cell == (f"'{spelled}" if FORMULA.match(spelled) else spelled)
    assert csv_file._value(Kind.TEXT, cell) == spelled


def test_a_row_with_other_columns_is_refused(tmp_path):
    with pytest.raises(ValueError, match="does not fit the columns: b"):
        csv_file.write(tmp_path / "t.csv", of(Kind.COUNT, "a"), [{"a": 1, "b": 2}])
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_version_is_named(tmp_path):
    path = tmp_path / "t.csv"
    columns = of(Kind.COUNT, "a b")
    with pytest.raises(ArtifactError, match=r"t\.csv: cannot be read .*`dvc repro tables`"):
        csv_file.read(path, columns, "tables")
    for text, problem in (
        ("a\n1\n", "has other columns"),
        ("a,b\n1\n", "cannot be read"),
        ("a,b\n1,x\n", "cannot be read"),
    ):
        path.write_text(text)
        with pytest.raises(ArtifactError, match=rf"t\.csv: {problem}"):
            csv_file.read(path, columns, "tables")

"""`userturn turns`: the right turns, and their texts harmless for a terminal."""

import json
from pathlib import Path
from typing import Any

import pytest

from synthetic import make_study, write_artifacts
from userturn.base.errors import StudyError
from userturn.commands import turns
from userturn.commands.turns import INVALID, Said, Turn, Wanted
from userturn.judges.human import labels as human

FOLLOWUP, GENERIC = Said("followup", 0.9, "fit"), Said("generic")
UNLABELLED = Said(INVALID, None, "no JSON")


def turn(item: str = "0", said: dict[str, Said] | None = None, **columns: Any) -> Turn:
    row = {
        "dataset": "gsm8k",
        "item": item,
        "condition": "base",
        "temperature": 0.0,
        "sample": 0,
        "query": "q",
        "shown": "a",
        "text": "Thanks a lot!",
        "end": "eos",
        **columns,
    }
    return Turn("one", row, {"likelihood": FOLLOWUP} if said is None else said)


@pytest.mark.parametrize(
    ("wanted", "columns", "said"),
    [
        (Wanted(model="one"), {}, None),
        (Wanted(dataset="mt"), {"dataset": "mt"}, None),
        (Wanted(condition="swap"), {"condition": "swap"}, None),
        (Wanted(temperature=0.7), {"temperature": 0.7}, None),
        (Wanted(word="THANK"), {}, None),
        (Wanted(label="followup"), {}, None),
        (Wanted(label="generic"), {}, {"likelihood": GENERIC}),
        (Wanted(label=INVALID), {}, {"likelihood": UNLABELLED}),
        (Wanted(judge="ann"), {}, {"likelihood": GENERIC, "ann": FOLLOWUP}),
        (Wanted(judge="ann", label="followup"), {}, {"likelihood": GENERIC, "ann": FOLLOWUP}),
        (Wanted(disagreement=True), {}, {"likelihood": GENERIC, "ann": FOLLOWUP}),
    ],
)
def test_a_turn_that_fits_is_chosen(
    wanted: Wanted, columns: dict[str, Any], said: dict[str, Said] | None
) -> None:
    one = turn(said=said, **columns)
    assert turns.select([one], wanted, "likelihood") == [one]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted(model="two"), None),
        (Wanted(dataset="mt"), None),
        (Wanted(condition="swap"), None),
        (Wanted(temperature=0.7), None),
        (Wanted(word="why"), None),
        (Wanted(label="generic"), None),
        (Wanted(label="followup"), {}),
        (Wanted(judge="ann"), None),
        (Wanted(judge="ann", label="generic"), {"likelihood": GENERIC, "ann": FOLLOWUP}),
        (Wanted(disagreement=True), {"likelihood": FOLLOWUP, "ann": Said("followup")}),
        (Wanted(disagreement=True), {"likelihood": FOLLOWUP, "here": UNLABELLED}),
    ],
)
def test_a_turn_that_does_not_fit_is_left_out(wanted: Wanted, said: dict[str, Said] | None) -> None:
    assert turns.select([turn(said=said)], wanted, "likelihood") == []


def test_a_place_in_the_order_depends_on_no_other_turn() -> None:
    every = [turn(str(item)) for item in range(20)]
    whole = turns.ordered(every, seed=0)
    assert whole != every
    assert turns.ordered(every[:10], 0) == [one for one in whole if int(one.row["item"]) < 10]


def test_what_is_said_fits_a_line() -> None:
    assert turns.judgement(FOLLOWUP) == "followup, p 0.90: fit"
    assert turns.judgement(GENERIC) == "generic"
    assert turns.judgement(UNLABELLED) == "invalid: no JSON"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Wanted(model="x"), "--model x: the study has: smollm2_135m"),
        (Wanted(temperature=0.3), "--temperature 0.3: the study has: 0.0, 0.7, 1.0"),
        (Wanted(condition="x"), "--condition x: the study has: base, truncate, "),
        (Wanted(judge="x"), "--judge x: the study has: likelihood"),
        (Wanted(disagreement=True), "one judge, likelihood, and no person labelled turns"),
    ],
)
def test_what_the_study_cannot_have_is_refused(wanted: Wanted, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        turns.check(make_study(), wanted, [])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def test_a_study_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def edit(kind: str, _slug: str, row: dict[str, Any]) -> dict[str, Any]:
        if kind == "user_turns" and row["item"] == "0000":
            return row | {"text": "one [bold]word[/] \x1b[2J\u202e\ntwo"}
        if kind == "prompts" and row["item"] == "0000":
            return row | {"earlier": [{"role": "system", "content": "Be [bold]kind[/]\x1b[2J"}]}
        return row

    study = make_study(datasets=["mt_bench"], temperatures=[0.0], conditions=["swap"])
    write_artifacts(study, items=3, edit=edit)
    turns.run_turns(study, Wanted(condition="base", word="WORD"), None, False)
    lines = capsys.readouterr().out.splitlines()
    text = "".join(f"{line.rstrip()}\n" for line in lines)
    assert "smollm2_135m · mt_bench 0000 · base · temperature 0 · sample 0" in text
    assert "turn        one [bold]word[/] \\x1b[2J\\u202e\n" in text
    assert "            two\n" in text
    assert "system      Be [bold]kind[/]\\x1b[2J\n" in text
    assert "made up" in text
    assert " […] " in text  # the answer, clipped
    assert text.endswith("1 of 1 turns\n")
    assert max(map(len, lines)) <= 80
    turns.run_turns(study, Wanted(), 2, False)
    assert capsys.readouterr().out.endswith("2 of 6 turns; --limit 6 shows all\n")
    turns.run_turns(study, Wanted(condition="base"), None, True)
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["model"] for record in records] == ["smollm2_135m"] * 3
    assert records[0]["labels"]["likelihood"]["reason"] == "made up"
    assert len(records[0]["answer"]) > 240  # whole
    told = {record["item"]: record["earlier"] for record in records}
    assert told.pop("0000") == [{"role": "system", "content": "Be [bold]kind[/]\x1b[2J"}]
    assert list(told.values()) == [[], []]


def test_people_count_as_judges(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = make_study(datasets=["mt_bench"], temperatures=[0.0], conditions=[])
    write_artifacts(study, items=4)
    text = next(iter(human.shown(study, "smollm2_135m")))
    line = human.Annotation(**text.model_dump(), label="meta", seconds=1, time="2026-01-01")
    human.FOLDER.mkdir(parents=True)
    human.file_of("ann").write_text(line.model_dump_json() + "\n")
    turns.run_turns(study, Wanted(judge="ann", label="meta"), None, True)
    (record,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert record["item"] == text.item
    assert list(record["labels"]) == ["likelihood", "ann"]


def test_turns_without_labels_are_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = make_study(datasets=["mt_bench"], temperatures=[0.0], conditions=[])
    write_artifacts(study, items=1)
    (folder / "data/labels/smollm2_135m.parquet").unlink()
    turns.run_turns(study, Wanted(), None, False)
    assert "not labelled yet" in capsys.readouterr().out

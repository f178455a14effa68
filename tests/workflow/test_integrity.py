"""`userturn verify` and `userturn status` on a study that the real tools made."""

from __future__ import annotations

import shutil

import pytest

from .conftest import Clone
from .test_agreement import LABELS, add_temperature, flip_one_byte

pytestmark = pytest.mark.slow


def test_verify_finds_harm_and_names_its_mend(copied: Clone) -> None:
    sound = copied.userturn("verify")
    assert sound.status == 0, sound.text
    assert "17 artifacts: all whole" in sound.text
    flip_one_byte(copied.path / LABELS)
    with (copied.path / "reports/tables/rates.csv").open("a") as file:
        file.write("\n")
    harmed = copied.userturn("verify")
    assert harmed.status == 1
    assert str(LABELS) in harmed.text
    assert "reports/tables" in harmed.text
    for path in (str(LABELS), "reports/tables"):
        assert copied.dvc("checkout", "--force", path).status == 0
    mended = copied.userturn("verify")
    assert mended.status == 0, mended.text


def test_status_counts_what_an_edit_costs(copied: Clone) -> None:
    def fields(stage: str, text: str) -> list[list[str]]:
        return [line.split()[1:] for line in text.splitlines() if line.startswith(f"{stage} ")]

    shutil.move(copied.path / ".cache/weights", copied.path / ".cache/elsewhere")
    done = copied.userturn("status")
    assert done.status == 0, done.text
    answers, turns = fields("generate@alpha", done.text)
    assert answers[:-2] == ["answers", "up", "to", "date", "3", "3", "0"]
    assert turns[:-2] == ["user", "turns", "up", "to", "date", "15", "15", "0"]
    copied.edit(add_temperature)
    unknown = copied.userturn("status")
    assert [line[-5:-2] for line in fields("generate@alpha", unknown.text)] == [["?"] * 3] * 2
    shutil.move(copied.path / ".cache/elsewhere", copied.path / ".cache/weights")
    for where in ("the store", "the previous output"):
        edited = copied.userturn("status")
        answers, turns = fields("generate@alpha", edited.text)
        (controls,) = fields("perturb@alpha", edited.text)
        assert answers[:-2] == ["answers", "stale", "3", "3", "0"], where
        assert turns[:-2] == ["user", "turns", "stale", "21", "15", "6"], where
        assert controls[:-2] == ["controls", "stale", "12", "12", "0"], where
        assert fields("prompts@first", edited.text)[0][:-2] == ["up", "to", "date"]
        shutil.rmtree(copied.path / ".cache/completions", ignore_errors=True)

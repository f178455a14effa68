"""An optional judge: a key turns it on, and no machine without one turns it off."""

import json
from pathlib import Path

import pytest

from userturn.base import paths
from userturn.base.errors import StudyError
from userturn.models import keys
from userturn.stages import entries
from userturn.study.loading import checked, load_study
from userturn.study.study import Study

LAPTOP = load_study(Path(__file__).resolve().parents[2] / "studies/laptop.yaml")


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JUDGE_KEY", raising=False)


def study(**changes):
    raw = LAPTOP.model_dump(mode="json")
    entry = {"type": "server", "model": "m", "key_env": "JUDGE_KEY", "optional": True}
    raw["judge"] = {"paid": entry, "free": {"type": "server", "model": "m", "key_env": None}}
    raw["classify"] |= {"judges": ["likelihood", "paid", "free"], **changes}
    return checked(Study, raw, "study")


def test_a_key_turns_it_on_for_good(monkeypatch):
    assert keys.asked(study()) == {"paid": False}
    entries.run(study())
    assert json.loads(paths.entries("judges").read_text())["paid"]["asked"] is False
    assert not [*paths.ASKED.glob("*")]
    assert not keys.is_asked(study(), "paid")
    assert keys.is_asked(study(), "free")

    monkeypatch.setenv("JUDGE_KEY", "")
    assert keys.asked(study()) == {"paid": False}
    monkeypatch.setenv("JUDGE_KEY", "sk-1")
    assert not keys.is_asked(study(), "paid")  # a stage does what was written down
    entries.run(study())
    assert keys.is_asked(study(), "paid")
    assert [path.name for path in paths.ASKED.glob("*")] == ["paid"]
    written = paths.entries("judges").read_bytes()
    assert b"sk-1" not in written

    monkeypatch.delenv("JUDGE_KEY")
    entries.run(study())
    assert paths.entries("judges").read_bytes() == written
    assert [path.name for path in paths.ASKED.glob("*")] == ["paid"]
    entries.run(LAPTOP)
    assert not [*paths.ASKED.glob("*")]


def test_a_probe_goes_by_the_key_alone(monkeypatch):
    assert not keys.is_asked(study(), "paid")
    monkeypatch.setenv("JUDGE_KEY", "sk-1")
    assert keys.is_asked(study(), "paid")


def test_the_headline_rests_on_no_judge_that_may_not_be_asked():
    with pytest.raises(StudyError, match=r"classify\.primary: 'paid' is optional and may not be"):
        study(primary="paid")

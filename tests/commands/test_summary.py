"""What a run ends with: four lines and one per model, whatever the study."""

from pathlib import Path

import pytest

from synthetic import ELEVEN, held_out, make_study, write_artifacts
from userturn.commands.summary import lines, percent, summary
from userturn.stages import tables as tables_stage
from userturn.tables import _adjusted


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = held_out()
    monkeypatch.setattr(_adjusted.calibration, "of_study", lambda study: given)


def test_one_model_has_five_lines() -> None:
    study = make_study(datasets=["gsm8k", "mt_bench"], conditions=["swap"])
    write_artifacts(study, items=6)
    tables_stage.run(study)
    first, rate, counted, judge, where = summary().splitlines()
    assert first == (
        "Genuine follow-up rate (strict) of user turns by greedy decoding, 95 % interval:"
    )
    assert rate.startswith("  smollm2_135m: ")
    assert counted == "Counted: 12 prompts; 120 turns in all settings, 0 without valid label"
    assert judge == "Labels by: likelihood; read some first: userturn turns --label followup"
    assert where.startswith("More in: reports/metrics.json, reports/tables/rates.csv, ")
    assert max(map(len, summary().splitlines())) <= 80


@pytest.mark.slow
def test_each_model_has_a_line() -> None:
    study = make_study(ELEVEN, ["gsm8k"], [0.7, 1.0], conditions=[])
    write_artifacts(study, items=2)
    tables_stage.run(study)
    text = summary()
    assert "at temperature 0.7" in text
    assert len(text.splitlines()) == 4 + len(ELEVEN)


def test_a_rate_of_nothing_is_said() -> None:
    empty = {"rate": None, "low": None, "high": None}
    assert percent(empty) == "no turn with a valid label"
    row = {
        "model": "m", "judge": "likelihood", "primary": True, "dataset": "all",
        "condition": "base", "temperature": 0.0, "prompts": 0, "samples": 2, "invalid": 2,
        "confidence": 0.95, **empty,
    }  # fmt: skip
    assert lines([row])[1] == "  m: no turn with a valid label"

"""Controls on the measure: the numbers by hand, and what is left out where there is none."""

from pathlib import Path

import polars as pl
import pytest

from synthetic import make_study
from userturn.base import paths
from userturn.tables import checks
from userturn.tables._results import ModelResults

STUDY = make_study()


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def model(
    values: dict[str, list[tuple[str, float | None]]],
    unseen: list[tuple[str, float | None]] | None = None,
) -> ModelResults:
    """One turn per (item, A) under each condition, and of those behind an unseen answer."""

    def frame(given: dict[str, list[tuple[str, float | None]]]) -> pl.DataFrame:
        rows = [
            {"dataset": "a", "item": item, "condition": condition, "uptake": value}
            for condition, turns in given.items()
            for item, value in turns
        ]
        schema = {
            **dict.fromkeys(("dataset", "item", "condition"), pl.String),
            "uptake": pl.Float64,
        }
        return pl.DataFrame(rows, schema=schema)

    return ModelResults(
        STUDY, "m", pl.DataFrame(), frame(values), frame({"swap": unseen or []}), ()
    )


def test_uptake_is_averaged_by_prompt_and_swap_asks_two_questions():
    results = model(
        {
            "base": [("1", 0.4), ("1", 0.2), ("2", 0.5), ("3", None)],
            "swap": [("1", 0.3), ("2", 0.5)],
            "close": [("1", 9.0)],
        },
        unseen=[("1", 0.1), ("2", -0.1)],
    )
    looks = [
        {"condition": "base", "memorised": 0.5, "samples": 2},
        {"condition": "base", "memorised": 0.0, "samples": 6},
        {"condition": "base", "memorised": None, "samples": 3},
        {"condition": "swap", "memorised": 1.0, "samples": 9},
    ]
    base, shown, unseen = checks.uptake_rows(results)
    memorised = checks.memorised_row("m", looks)
    assert base["value"] == pytest.approx((0.3 + 0.5) / 2)
    assert (base["turns"], base["prompts"]) == (3, 2)
    assert (base["low"], base["high"]) == pytest.approx((0.3, 0.5))
    assert shown["value"] == pytest.approx(0.4)
    assert unseen["value"] == pytest.approx(0)
    assert unseen["low"] == pytest.approx(-0.1)
    assert (memorised["value"], memorised["turns"]) == (1 / 8, 8)
    assert all(list(row) == list(checks.TABLE.columns) for row in (base, unseen, memorised))


def test_without_turns_there_is_no_value():
    without = checks.uptake_rows(model({"base": [("1", None)]}))
    memorised = checks.memorised_row("m", [])
    assert {row["value"] for row in (*without, memorised)} == {None}
    one = checks.uptake_rows(model({"base": [("1", 0.2)]}))[0]
    assert (one["value"], one["low"]) == (0.2, None)


def test_reference_turns_come_from_the_calibration_in_use():
    assert checks.reference_rows() == []
    path = Path(paths.CALIBRATION / "kinds.csv")
    path.parent.mkdir(parents=True)
    path.write_text(
        "calibration,kind,turns,followup,low,high,confidence\n"
        "given,moved,10,0.1,0,0.4,0.95\n"
        "given,spam,10,0,0,0.3,0.95\n"
        "fitted,moved,10,0.9,0.6,1,0.95\n"
        "given,reply,10,0,0,0.3,0.95\n"
    )
    rows = checks.reference_rows()
    assert [(row["check"], row["value"], row["expected"]) for row in rows] == [
        ("moved", 0.1, "zero"),
        ("spam", 0, "zero"),
    ]

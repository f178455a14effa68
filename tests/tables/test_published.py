"""The paper's numbers beside a study's: what agrees, what differs, and what is not there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from synthetic import make_study, write_artifacts
from userturn import tables
from userturn.artifacts.csv_file import write
from userturn.base.errors import StudyError
from userturn.stages import tables as stage
from userturn.study.loading import load_study
from userturn.study.published import PUBLISHED_FILE, PublishedNumber, read_published
from userturn.study.yaml import dump_mapping, read_mapping
from userturn.tables.published import (
    AGREES,
    DIFFERS,
    NOT_MEASURED,
    QUANTITIES,
    TABLE,
    Estimate,
    compared,
    row_of,
)

ROOT = Path(__file__).parents[2]
FILE = ROOT / PUBLISHED_FILE
TWO = {"qwen35_0_8b": ("Qwen3.5", 0.8), "qwen35_2b": ("Qwen3.5", 2.0)}
numbers = st.floats(-1, 1)


def number(**keys: Any) -> PublishedNumber:
    facts = {"name": "n", "what": "w", "mark": "K", "source": "s", "quantity": "models"}
    return PublishedNumber.model_validate({**facts, **keys})


# --- the file -------------------------------------------------------------------------------------


def test_the_file_holds_the_numbers_that_are_known() -> None:
    published = read_published(FILE)
    assert published is not None
    known = {one.name: one for one in published.numbers}
    assert [known[name].value for name in ("models", "families", "datasets")] == [11, 3, 5]
    assert (known["gsm8k_smallest"].value, known["gsm8k_largest"].value) == (0.41, 0.968)
    assert known["highest_rate"].value == 0.22
    assert known["greedy_rate"].bounds == (0, 0.05)
    assert known["before_sft"].bounds == (0.01, 0.02)
    assert known["after_sft"].bounds == (0.46, 0.48)
    assert {one.mark for one in published.numbers} == {"K", "R", "C"}


def test_its_models_and_datasets_are_those_of_the_papers_study() -> None:
    published, study = read_published(FILE), load_study(ROOT / "studies/paper.yaml")
    assert published is not None
    named = {
        slug for one in published.numbers if isinstance(one.models, list) for slug in one.models
    }
    assert named - {"qwen35_2b_sft"} <= set(study.models.probe)
    assert all(
        set(one.datasets) & set(study.prompts.datasets) for one in published.numbers if one.datasets
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mark": "X"}, "mark"),
        ({"quantity": "speed"}, "quantity"),
        ({"value": None}, "neither value nor low nor high"),
        ({"low": 12}, "not in this order"),
        ({"quantity": "accuracy", "models": ["m"]}, "needs the key datasets"),
        ({"quantity": "rate", "models": ["m"]}, "needs the key temperature"),
        ({"name": "families"}, "stands twice"),
        ({"page": 3}, "page: unknown key"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, change: Any, message: str) -> None:
    raw = read_mapping(FILE)
    raw["numbers"][0].update(change)
    file = tmp_path / "published.yaml"
    file.write_text(dump_mapping(raw))
    with pytest.raises(StudyError, match=f"(?s){file.name}.*{message}"):
        read_published(file)


def test_a_folder_without_the_file_has_none(tmp_path: Path) -> None:
    assert read_published(tmp_path / "published.yaml") is None


# --- the verdict ----------------------------------------------------------------------------------


@given(numbers, numbers, numbers, numbers, numbers)
def test_numbers_agree_where_intervals_meet(
    value: float, low: float, high: float, least: float, most: float
) -> None:
    assume(least <= most)
    low, value, high = sorted((low, value, high))
    verdict, why = compared(number(low=least, high=most), Estimate(value, low, high))
    meets = any(low <= end <= high for end in (least, most)) or least <= low <= most
    assert verdict == (AGREES if meets else DIFFERS)
    within = least <= low and high <= most
    assert bool(why) == (meets and least < most and not within)


@given(numbers, numbers)
def test_one_bound_leaves_the_other_side_open(value: float, bound: float) -> None:
    above, _ = compared(number(low=bound), Estimate(value))
    below, _ = compared(number(high=bound), Estimate(value))
    assert (above == AGREES) == (value >= bound)
    assert (below == AGREES) == (value <= bound)


def test_nothing_to_compare_is_said() -> None:
    assert compared(number(value=1), Estimate(lacking="why")) == (NOT_MEASURED, "why")


def test_every_quantity_has_an_estimate() -> None:
    quantity = PublishedNumber.model_fields["quantity"].annotation
    assert set(QUANTITIES) == set(getattr(quantity, "__args__", ()))


def test_a_row_fits_the_table(tmp_path: Path) -> None:
    row = row_of(number(low=0, what="=1+1"), None, Estimate(3.0))
    write(tmp_path / "t.csv", TABLE.columns, [row])
    assert "'=1+1" in (tmp_path / "t.csv").read_text()
    assert row["published_high"] is None


# --- a study --------------------------------------------------------------------------------------


def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **sections: Any) -> dict[Any, Any]:
    """Rows of the table of a study, by number and model."""
    monkeypatch.chdir(tmp_path)
    Path("studies").mkdir()
    shutil.copy(FILE, PUBLISHED_FILE)
    study = make_study(TWO, ("gsm8k", "mt_bench"), **sections)
    write_artifacts(study, items=30)
    stage.run(study)
    return {(row["number"], row["model"]): row for row in tables.read("published")}


@pytest.mark.slow
def test_a_study_is_set_beside_the_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = made(tmp_path, monkeypatch)
    assert rows["models", ""]["verdict"] == DIFFERS
    assert (rows["models", ""]["published"], rows["models", ""]["estimate"]) == (11, 2)
    assert rows["size_qwen35_2b", "qwen35_2b"]["verdict"] == AGREES

    accuracy = rows["gsm8k_smallest", "qwen35_0_8b"]
    (measured,) = (
        row
        for row in tables.read("accuracy")
        if (row["model"], row["dataset"]) == ("qwen35_0_8b", "gsm8k")
    )
    assert accuracy["estimate"] == measured["strict"]
    inside = measured["strict_low"] <= 0.41 <= measured["strict_high"]
    assert accuracy["verdict"] == (AGREES if inside else DIFFERS)

    best = rows[next(key for key in rows if key[0] == "highest_rate")]
    rates = [row for row in tables.read("rates") if row["condition"] == "base"]
    warm = [row["rate"] for row in rates if row["temperature"] > 0]
    assert best["estimate"] == max(warm)
    assert best["temperature"] > 0

    assert {key for key in rows if key[0] == "truncated_answer"} == {
        ("truncated_answer", slug) for slug in TWO
    }
    missing = rows["greedy_rate", "qwen35_397b_a17b"]
    assert missing["verdict"] == NOT_MEASURED
    assert missing["why"] == "the study does not probe the model qwen35_397b_a17b"
    assert missing["estimate"] is None


@pytest.mark.slow
def test_what_a_study_lacks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = made(tmp_path, monkeypatch, temperatures=(0.7,), conditions=("ask",))
    why = {key: row["why"] for key, row in rows.items() if row["verdict"] == NOT_MEASURED}
    assert why["greedy_rate", "qwen35_2b"] == "the study has no turns at temperature 0"
    assert why["truncated_answer", "qwen35_2b"] == "the study lacks the condition truncate"
    assert rows["highest_rate", rows_model(rows)]["verdict"] in (AGREES, DIFFERS)


def rows_model(rows: dict[Any, Any]) -> str:
    return next(model for name, model in rows if name == "highest_rate")


@pytest.mark.slow
def test_another_dataset_or_no_score_is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("studies").mkdir()
    shutil.copy(FILE, PUBLISHED_FILE)
    study = make_study(TWO, ("mt_bench",), (0.0,), conditions=("truncate",))
    write_artifacts(study, items=6)
    stage.run(study)
    rows = {(row["number"], row["model"]): row for row in tables.read("published")}
    assert rows["gsm8k_smallest", "qwen35_0_8b"]["why"] == (
        "the study lacks the dataset gsm8k_hub or gsm8k"
    )
    assert "temperature above 0" in rows["highest_rate", ""]["why"]

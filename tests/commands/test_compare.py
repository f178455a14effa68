"""`userturn compare`: the right models and prompts are paired, and what differs beside is said."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthetic import held_out, make_study, write_artifacts
from userturn.base.errors import UserturnError
from userturn.commands import compare
from userturn.stages import tables as tables_stage
from userturn.study.study import Registry
from userturn.study.yaml import dump_mapping
from userturn.tables import _adjusted

pytestmark = pytest.mark.slow

Edit = Callable[[str, str, dict[str, Any]], dict[str, Any] | None]
MODELS = {"one": ("a", 1.0), "two": ("a", 2.0)}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    given = held_out()
    monkeypatch.setattr(_adjusted.calibration, "of_study", lambda study: given)


def same(_kind: str, _slug: str, row: dict[str, Any]) -> dict[str, Any]:
    return row


def followups(share: int) -> Edit:
    """Labels of which those of the first items are follow-ups, and no other."""

    def edit(kind: str, _slug: str, row: dict[str, Any]) -> dict[str, Any]:
        label = "followup" if int(row.get("item", 0)) < share else "generic"
        return {**row, "label": label} if kind == "labels" else row

    return edit


def make(name: str, edit: Edit = same, items: int = 8, **keys: Any) -> Path:
    folder = Path(name)
    folder.mkdir()
    defaults: dict[str, Any] = {"datasets": ["maths"], "temperatures": [0.0], "conditions": []}
    study = make_study(**{**defaults, **keys})
    whole = study.model_dump(mode="json")
    entries = {section: whole.pop(section) for section in Registry.model_fields}
    (folder / "params.yaml").write_text(dump_mapping(whole))
    (folder / "registry.yaml").write_text(dump_mapping(entries))
    with contextlib.chdir(folder):
        write_artifacts(study, items=items, edit=edit)
        tables_stage.run(study)
    return folder


@pytest.mark.slow
def test_prompts_are_paired_by_their_text_whatever_they_are_called(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = make("first", followups(2))
    second = make("second", followups(6), items=10, datasets=["chat"])
    compare.run_compare(first, second, as_json=True)
    made = json.loads(capsys.readouterr().out)
    (rates,) = made["rates"]
    assert (rates["a"]["rate"], rates["b"]["rate"]) == (0.25, 0.6)
    assert (rates["a"]["prompts"], rates["b"]["prompts"]) == (8, 10)
    (contrast,) = made["contrasts"]
    assert contrast["prompts"] == 8
    assert (contrast["rate_base"], contrast["rate"], contrast["difference"]) == (0.25, 0.75, 0.5)
    assert contrast["low"] < 0.5 < contrast["high"]
    assert contrast["p"] == contrast["p_holm"] == 0.125  # McNemar: 4 of 4 one way
    assert made["notes"] == []


@pytest.mark.slow
def test_it_fits_eighty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = make("first"), make("second", temperatures=[0.0, 1.0], conditions=["truncate"])
    compare.run_compare(first, second, as_json=False)
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "not asked" in text  # at temperature 1.0
    assert "p (Holm)" in text


@pytest.mark.slow
def test_models_are_paired_by_name_or_each_with_each() -> None:
    a, b, c = make("a", models=MODELS), make("b", models={"one": ("a", 1.0)}), make("c")
    both, one, other = (compare.read(folder) for folder in (a, b, c))
    assert compare.models(both, one) == [("one", "one")]
    assert compare.models(both, other) == [("one", "smollm2_135m"), ("two", "smollm2_135m")]
    assert compare.models(both, both) == [("one", "two")]
    with pytest.raises(UserturnError, match="b: has one model"):
        compare.models(one, one)


@pytest.mark.slow
def test_p_values_are_corrected_over_the_whole_comparison() -> None:
    first = make("first", followups(2), temperatures=[0.0, 0.7])
    second = make("second", followups(6), temperatures=[0.0, 0.7])
    rows = compare.paired(compare.read(first), compare.read(second))
    assert len(rows) == 2
    assert max(row["p_holm"] for row in rows) > max(row["p"] for row in rows)


def test_other_prompts_are_not_paired(capsys: pytest.CaptureFixture[str]) -> None:
    def other(kind: str, _slug: str, row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "text": f"Another {row['item']}"} if kind == "prompts" else row

    compare.run_compare(make("first"), make("second", other), as_json=False)
    assert "no prompt is in both: nothing can be paired" in capsys.readouterr().out


def test_what_makes_rates_incomparable_is_noted() -> None:
    def fitted_again(kind: str, _slug: str, row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "rubric": "1"} if kind == "labels" else row

    a, b = make("first"), make("second", fitted_again)
    (note,) = compare.differences(compare.read(a), compare.read(b))
    assert note == "rubric or fit differs, and so may rates: 0 / 1"


def test_a_folder_that_is_no_study_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserturnError, match="nope: is no folder"):
        compare.read(Path("nope"))
    with pytest.raises(UserturnError, match=r"in .*: params\.yaml: cannot be read"):
        compare.read(tmp_path)
    folder = make("first")
    (folder / "data/labels/smollm2_135m.parquet").unlink()
    with pytest.raises(UserturnError, match=r"in first: data/labels/.* is missing"):
        compare.read(folder)

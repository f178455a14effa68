"""The numbers about the judge are the library's."""

import json
import random
from pathlib import Path

import polars as pl
import pytest
from sklearn.metrics import (
    cohen_kappa_score,
    f1_score,
    precision_recall_curve,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
    roc_auc_score,
)

from userturn.artifacts import csv_file, schemas
from userturn.artifacts.labels import Label
from userturn.judges.calibration import columns, quality
from userturn.judges.likelihood import calibration
from userturn.study.loading import load_study

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
STUDY = load_study(ROOT / "studies/laptop.yaml")


def frame(seed: int = 0, items: int = 40) -> pl.DataFrame:
    """Rows of kind `reference` with labels and measures by chance, made turns among them."""
    rng = random.Random(seed)
    rows = []
    for item in range(items):
        for number, kind in enumerate(("gold", "gold", "gold", "moved")):
            label = rng.choice([Label.FOLLOWUP, Label.ON_TOPIC, Label.UNRELATED, Label.GENERIC])
            followup = label is Label.FOLLOWUP
            given = label if rng.random() < 0.5 else rng.choice(list(Label))
            row = dict.fromkeys(schemas.columns("reference"))
            row |= {"set": "ab"[item % 2], "item": str(item), "kind": kind, "number": number}
            row |= {"label": str(label), "given": str(given), "fitted": str(given)}
            row |= {"given_probability": rng.random() ** (3 - 2 * followup)}
            row |= {"fitted_probability": rng.random()}
            row |= {name: rng.random() + followup for name in quality.COMPARED}
            rows.append(row)
    chances = [f"{name}_probability" for name in quality.CALIBRATIONS]
    numbers = dict.fromkeys([*quality.COMPARED, *chances], pl.Float64)
    return pl.DataFrame(rows, schema_overrides=numbers)


def test_every_number_is_that_of_the_library(tmp_path):
    turns = frame()
    quality.write(turns, STUDY, tmp_path)
    read = turns.filter(pl.col("kind") == "gold")
    known, given = read["label"].to_list(), read["given"].to_list()
    report = json.loads((tmp_path / "report.json").read_text())
    assert "elsewhere" not in report
    ours = report["given"]["written"]
    present = sorted(set(known))
    macro = f1_score(known, given, labels=present, average="macro", zero_division=0)
    for name, expected in (("macro_f1", macro), ("kappa", cohen_kappa_score(known, given))):
        assert ours[name] == pytest.approx(expected)
        assert ours[f"{name}_low"] < expected < ours[f"{name}_high"]
    labels = pl.read_csv(tmp_path / "precision_recall.csv", null_values="")
    for row in labels.filter(set="written", calibration="given").iter_rows(named=True):
        precision, recall, f1, _ = precision_recall_fscore_support(
            known, given, labels=[row["label"]], zero_division=0
        )
        for name, (value,) in (("precision", precision), ("recall", recall), ("f1", f1)):
            assert (row[name] or 0) == pytest.approx(value, abs=1e-5)
            if row[name] is not None and name != "f1":
                assert row[f"{name}_low"] <= value <= row[f"{name}_high"]
    auc = pl.read_csv(tmp_path / "auc.csv").filter(set="written")
    reacts = [one == "followup" for one in known]
    for row in auc.iter_rows(named=True):
        expected = roc_auc_score(reacts, read[row["measure"]].to_numpy())
        assert row["auc"] == pytest.approx(expected, abs=1e-5)
        assert row["low"] <= expected <= row["high"]
    precision, recall, _ = precision_recall_curve(reacts, read["given_probability"].to_numpy())
    at = ours["at_recall"]
    assert at["precision"] == pytest.approx(precision[recall >= at["recall"]].max())
    counts = pl.read_csv(tmp_path / "confusion.csv")
    assert counts["count"].sum() == 2 * len(turns)
    kinds = pl.read_csv(tmp_path / "kinds.csv").filter(kind="moved", calibration="given")
    moved = turns.filter(kind="moved")
    assert kinds["followup"].item() == pytest.approx(moved["given"].eq("followup").mean(), abs=1e-5)


@pytest.mark.slow
def test_the_study_s_judge_is_held_against_turns_that_it_was_not_fitted_on(tmp_path):
    sets = STUDY.calibrate.model_copy(update={"sets": ["gold_ifbench"]})
    quality.write(frame(), STUDY.model_copy(update={"calibrate": sets}), tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["given_was_fitted_on"] == ["gold_ifbench"], "by another entry of its texts"
    held = calibration.read(calibration.SHIPPED).held_out
    for name, written in (("written", True), ("real", False)):
        part = [one for one in held if (one.condition is not None) == written]
        known, given = [one.followup for one in part], [one.labelled for one in part]
        ours = report["held_out"][name]
        assert ours["precision"] == pytest.approx(precision_score(known, given))
        assert ours["recall"] == pytest.approx(recall_score(known, given))
        assert ours["turns"] == len(part)


@pytest.mark.slow
def test_what_is_always_right_has_an_interval(tmp_path):
    turns = frame().with_columns(given="label")
    quality.write(turns, STUDY, tmp_path)
    ours = json.loads((tmp_path / "report.json").read_text())["given"]["written"]
    assert ours["precision"] == ours["recall"] == ours["kappa"] == 1
    assert 0.8 < ours["precision_low"] < 1 == ours["precision_high"]


@pytest.mark.slow
def test_equal_content_gives_equal_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        quality.write(frame(), STUDY, tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_every_table_reads_back(tmp_path):
    quality.write(frame(), STUDY, tmp_path)
    for name in ("auc", "precision_recall", "confusion", "kinds"):
        rows = csv_file.read(tmp_path / f"{name}.csv", getattr(columns, name.upper()), "calibrate")
        assert rows
    assert {row["kind"] for row in rows} == {"gold", "moved"}

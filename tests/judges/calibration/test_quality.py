"""The numbers about the judge are the library's."""

import json
import random
from pathlib import Path

import polars as pl
import pytest
from sklearn.metrics import (
    f1_score,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_auc_score,
)

from userturn.artifacts import csv_file, schemas
from userturn.artifacts.labels import Label
from userturn.judges.calibration import columns, quality
from userturn.study.loading import load_study

ROOT = Path(__file__).parents[3]


def frame(seed: int = 0, items: int = 40) -> pl.DataFrame:
    """Rows of kind `reference` with labels and measures by chance."""
    rng = random.Random(seed)
    rows = []
    for item in range(items):
        for kind, label in (
            ("true", Label.FOLLOWUP),
            ("moved", Label.UNRELATED),
            ("empty", "empty"),
        ):
            row = dict.fromkeys(schemas.columns("reference"))
            row |= {"set": "ab"[item % 2], "item": str(item), "kind": kind, "label": str(label)}
            row |= {
                "turn": "why " * rng.randint(1, 20),
                "query": "q",
                "answer": "a",
                "fold": item % 5,
            }
            row |= {name: str(rng.choice(list(Label))) for name in ("given", "fitted")}
            if kind != "empty":
                row |= {"given_probability": rng.random() ** (3 - 2 * (kind == "true"))}
                row |= {name: rng.random() + (kind == "true") for name in quality.COMPARED}
            rows.append(row)
    chances = [f"{name}_probability" for name in quality.CALIBRATIONS]
    numbers = dict.fromkeys([*quality.COMPARED, *chances], pl.Float64)
    return pl.DataFrame(rows, schema_overrides=numbers)


STUDY = load_study(ROOT / "studies/laptop.yaml")


def test_every_number_is_that_of_the_library(tmp_path):
    turns = frame()
    quality.write(turns, STUDY, tmp_path)
    truth, given_labels = turns["label"].to_list(), turns["given"].to_list()
    report = json.loads((tmp_path / "report.json").read_text())
    present = sorted(set(truth))
    expected = f1_score(truth, given_labels, labels=present, average="macro", zero_division=0)
    assert report["given"]["macro_f1"]["value"] == pytest.approx(expected)
    assert report["given"]["macro_f1"]["low"] < expected < report["given"]["macro_f1"]["high"]
    labels = pl.read_csv(tmp_path / "precision_recall.csv", null_values="")
    for row in labels.filter(pl.col("set") == "all").iter_rows(named=True):
        name = row["label"]
        asked = {"labels": [name], "average": "micro", "zero_division": 0}
        judged = turns[row["calibration"]].to_list()
        assert (row["recall"] or 0) == pytest.approx(recall_score(truth, judged, **asked), abs=1e-5)
        assert (row["precision"] or 0) == pytest.approx(
            precision_score(truth, judged, **asked), abs=1e-5
        )
    auc = pl.read_csv(tmp_path / "auc.csv").filter(pl.col("set") == "all")
    for row in auc.iter_rows(named=True):
        scored = turns.filter(pl.col("kind") != "empty")
        reacts = scored["kind"].to_numpy() == "true"
        expected = roc_auc_score(reacts, scored[row["measure"]].to_numpy())
        assert row["auc"] == pytest.approx(expected, abs=1e-5)
        assert row["low"] <= expected <= row["high"]
    confusion = pl.read_csv(tmp_path / "confusion.csv")
    assert confusion["count"].sum() == 2 * len(turns)
    # Empty turns are labelled by chance, and by rule: in front of all where that is a follow-up.
    first = turns["given"].eq("followup") & turns["given_probability"].is_null()
    chances = turns["given_probability"].fill_null(-1).to_numpy() + 3 * first.to_numpy()
    precision, recall, _ = precision_recall_curve([one == "followup" for one in truth], chances)
    at = report["given"]["at_recall"]
    assert at["value"] == pytest.approx(precision[recall >= at["recall"]].max())
    assert "elsewhere" not in report


def test_equal_content_gives_equal_bytes_and_order_does_not_matter(tmp_path):
    turns = frame()
    for name, one in (("a", turns), ("b", turns)):
        (tmp_path / name).mkdir()
        quality.write(one, STUDY, tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_every_table_reads_back(tmp_path):
    quality.write(frame(), STUDY, tmp_path)
    for name in ("auc", "precision_recall", "confusion", "kinds"):
        rows = csv_file.read(tmp_path / f"{name}.csv", getattr(columns, name.upper()), "calibrate")
        assert rows
    assert {row["kind"] for row in rows} == {"true", "moved", "empty"}

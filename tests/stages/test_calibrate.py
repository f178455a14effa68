"""The numbers about the judge are the library's, and a real scorer gives good ones."""

import json
import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import (
    f1_score,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_auc_score,
)

from userturn import artifacts
from userturn.artifacts.labels import Label
from userturn.base import paths
from userturn.judges.calibration import evaluation
from userturn.judges.likelihood import calibration
from userturn.models import weights
from userturn.stages import calibrate
from userturn.study.loading import load_study

ROOT = Path(__file__).parents[2]


def frame(seed: int = 0, items: int = 40) -> pl.DataFrame:
    """Rows of artifacts.REFERENCE with labels and measures by chance."""
    rng = random.Random(seed)
    rows = []
    for item in range(items):
        for kind, label in (
            ("true", Label.FOLLOWUP),
            ("moved", Label.UNRELATED),
            ("empty", "empty"),
        ):
            row = dict.fromkeys(artifacts.REFERENCE)
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
                row |= {name: rng.random() + (kind == "true") for name in evaluation.MEASURES}
            rows.append(row)
    chances = [f"{name}_probability" for name in evaluation.CALIBRATIONS]
    numbers = dict.fromkeys([*evaluation.MEASURES, *chances], pl.Float64)
    return pl.DataFrame(rows, schema_overrides=numbers)


STUDY = load_study(ROOT / "studies/laptop.yaml")


def test_every_number_is_that_of_the_library(tmp_path):
    turns = frame()
    evaluation.write(turns, STUDY, tmp_path)
    truth, given_labels = turns["label"].to_list(), turns["given"].to_list()
    report = json.loads((tmp_path / "report.json").read_text())
    present = sorted(set(truth))
    expected = f1_score(truth, given_labels, labels=present, average="macro", zero_division=0)
    assert report["given"]["macro_f1"]["value"] == pytest.approx(expected)
    assert report["given"]["macro_f1"]["low"] < expected < report["given"]["macro_f1"]["high"]
    labels = pl.read_csv(tmp_path / "labels.csv", null_values="")
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
    found = report["given"]["at_recall"]
    assert found["value"] == pytest.approx(precision[recall >= found["recall"]].max())
    assert "elsewhere" not in report


def test_equal_content_gives_equal_bytes_and_order_does_not_matter(tmp_path):
    turns = frame()
    for name, one in (("a", turns), ("b", turns)):
        (tmp_path / name).mkdir()
        evaluation.write(one, STUDY, tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.slow
def test_the_shipped_set_tells_follow_ups_from_moved_turns(tmp_path, monkeypatch, smollm2_dir):
    """A real scorer on the real set: relevance beats word overlap, and spam is no follow-up."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/reference").symlink_to(ROOT / "data/reference")
    monkeypatch.setattr(weights, "materialise", lambda study, slug: smollm2_dir)
    monkeypatch.setattr(weights, "identity", lambda study, slug: "smollm2/float32")
    calibrate.run(STUDY)
    report = json.loads((paths.CALIBRATION / "report.json").read_text())
    assert report["auc"]["relevance"]["auc"] > report["auc"]["word_overlap"]["auc"]
    assert report["auc"]["relevance"]["auc"] > 0.9
    turns = artifacts.read(paths.REFERENCE_TURNS, "reference")
    given_labels = turns.group_by("kind").agg(pl.col("given"))
    by_kind = dict(given_labels.iter_rows())
    for kind, label in (("closing", "generic"), ("empty", "empty"), ("loop", "degenerate")):
        assert np.mean([found == label for found in by_kind[kind]]) > 0.9
    assert "followup" not in by_kind["spam"]
    real = turns.filter(pl.col("label") == Label.FOLLOWUP)["given"].to_list()
    assert real.count("followup") / len(real) > 0.3
    assert by_kind["moved"].count("followup") / len(by_kind["moved"]) < 0.1
    fitted = calibration.read(paths.CALIBRATION / "calibration.json")
    assert fitted.origin["sets"] == ["own"]
    assert turns["elsewhere"].null_count() == len(turns)  # there is no other set
    assert turns["fitted"].null_count() < len(turns) / 10

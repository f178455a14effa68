"""Fitted thresholds are the best there are, and the numbers beside them are the library's."""

import json
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from userturn import artifacts, calibrate, evaluation, paths, weights
from userturn.calibrate import best_cut, best_pair
from userturn.labels import Label
from userturn.params import load_study

ROOT = Path(__file__).parents[1]
VALUES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=15)


def balanced(threshold: float, higher: list[float], lower: list[float]) -> float:
    return sum(v >= threshold for v in higher) / len(higher) + sum(
        v < threshold for v in lower
    ) / len(lower)


@given(VALUES, VALUES)
def test_no_threshold_separates_better(higher, lower):
    found = best_cut(higher, lower, 0.0)
    values = sorted({*higher, *lower})
    middles = [(a + b) / 2 for a, b in pairwise(values)] or values
    best = max(balanced(middle, higher, lower) for middle in middles)
    assert balanced(found, higher, lower) == pytest.approx(best)


THROUGH = st.lists(st.tuples(st.booleans(), VALUES.map(min), VALUES.map(max)), max_size=25)


@given(THROUGH, st.integers(0, 5), st.sampled_from([0.5, 0.9]))
@settings(max_examples=200)
def test_fitted_pair_keeps_its_precision_and_no_threshold_of_c_finds_more(through, missed, least):
    hits = sum(truth for truth, _, _ in through)
    found = best_pair(through, hits + missed, least)
    if not hits:
        assert found is None
        return
    assert found is not None

    def of(relevance: float, grounding: float) -> tuple[float, float]:
        chosen = [truth for truth, c, g in through if c >= relevance and g >= grounding]
        return (sum(chosen) / len(chosen) if chosen else 0.0, sum(chosen) / (hits + missed))

    precision, recall = of(*found)
    rivals = [of(c, found[1]) for _, c, _ in through]
    if precision >= least:
        assert recall == max(r for p, r in rivals if p >= least)
    else:
        assert all(p < least for p, _ in rivals)


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
                row |= {name: rng.random() + (kind == "true") for name in evaluation.MEASURES}
            rows.append(row)
    return pl.DataFrame(rows, schema_overrides=dict.fromkeys(evaluation.MEASURES, pl.Float64))


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
        judged = turns[row["thresholds"]].to_list()
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
    assert np.mean([found == "followup" for found in by_kind["true"]]) > 0.4
    fitted = (paths.CALIBRATION / "thresholds.yaml").read_text()
    assert "relevance:" in fitted

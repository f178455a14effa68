"""A real scorer on real turns gives numbers that speak for the judge."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from userturn.artifacts import files
from userturn.artifacts.labels import Label
from userturn.base import paths
from userturn.judges.likelihood import calibration
from userturn.models import weights
from userturn.stages import calibrate
from userturn.study.loading import load_study

ROOT = Path(__file__).parents[2]
STUDY = load_study(ROOT / "studies/laptop.yaml")


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
    turns = files.read(paths.REFERENCE_TURNS, "reference")
    given_labels = turns.group_by("kind").agg(pl.col("given"))
    by_kind = dict(given_labels.iter_rows())
    for kind, label in (("closing", "generic"), ("empty", "empty"), ("loop", "degenerate")):
        assert np.mean([given == label for given in by_kind[kind]]) > 0.9
    assert "followup" not in by_kind["spam"]
    real = turns.filter(pl.col("label") == Label.FOLLOWUP)["given"].to_list()
    assert real.count("followup") / len(real) > 0.3
    assert by_kind["moved"].count("followup") / len(by_kind["moved"]) < 0.1
    fitted = calibration.read(paths.CALIBRATION / "calibration.json")
    assert fitted.origin["sets"] == ["own"]
    assert turns["elsewhere"].null_count() == len(turns)  # there is no other set
    assert turns["fitted"].null_count() < len(turns) / 10

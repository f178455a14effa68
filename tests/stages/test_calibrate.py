"""A real scorer on turns of known label: what the judge says of them, and what is fitted."""

import json
from pathlib import Path

import polars as pl
import pytest

from userturn.artifacts import files
from userturn.artifacts.labels import Label
from userturn.base import paths
from userturn.judges.calibration import labelled
from userturn.judges.calibration.labelled import gold
from userturn.judges.likelihood import calibration
from userturn.models import weights
from userturn.stages import calibrate
from userturn.study.loading import load_study

ROOT = Path(__file__).parents[2]
LAPTOP = load_study(ROOT / "studies/laptop.yaml")
SETS = LAPTOP.calibrate.model_copy(update={"sets": ["gold_ifbench", "own"], "per_set": 16})
STUDY = LAPTOP.model_copy(update={"calibrate": SETS})


MADE = ("moved", "spam", "closing", "loop", "empty")


@pytest.mark.slow
def test_the_shipped_judge_calls_no_made_turn_a_follow_up(tmp_path, monkeypatch, smollm2_dir):
    """A real scorer on the project's own conversations, and a fit on turns that were read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/reference").symlink_to(ROOT / "data/reference")
    monkeypatch.setattr(weights, "materialise", lambda study, slug: smollm2_dir)
    monkeypatch.setattr(weights, "identity", lambda study, slug: "smollm2/float32")
    monkeypatch.setattr(labelled, "gold", few)
    calibrate.run(STUDY)
    turns = files.read(paths.REFERENCE_TURNS, "reference")
    made = turns.filter(pl.col("kind").is_in(MADE))
    assert made["given"].eq(Label.FOLLOWUP).mean() <= 0.02
    by_kind = dict(turns.group_by("kind").agg("given").iter_rows())
    for kind, label in (("closing", "generic"), ("empty", "empty")):
        assert set(by_kind[kind]) == {label}
    real = turns.filter(pl.col("label") == Label.FOLLOWUP, pl.col("kind") == "true")
    assert real["given"].eq(Label.FOLLOWUP).mean() > 0.1  # people react in few words
    read = turns.filter(pl.col("kind") == "gold")
    assert read["uptake"].is_not_null().all()
    assert read["fitted"].is_not_null().all()
    assert turns["given_probability"].is_not_null().all()

    report = json.loads((paths.CALIBRATION / "report.json").read_text())
    assert report["auc"]["written"]["uptake"] > 0.6
    assert report["given"]["written"]["read_rate"] == read["label"].eq("followup").mean()
    fitted = calibration.read(paths.CALIBRATION / "calibration.json")
    assert fitted.origin["sets"] == ["gold_ifbench"]
    assert fitted.origin["neutral"] == ["Okay."]
    held = {(one.prompt, one.condition, one.temperature): one for one in fitted.held_out}
    assert len(held) == fitted.origin["turns"] == len(read)
    for row in read.iter_rows(named=True):
        one = held[row["item"], row["condition"], row["temperature"]]
        assert one.set == row["set"]
        assert one.probability == row["fitted_probability"]
        assert one.labelled == (row["fitted"] == "followup")
        assert one.followup == (row["label"] == "followup")


def few(study, slug):
    """Some of the gold turns: all behind twelve prompts."""
    turns = gold(study, slug)
    items = sorted({one.item for one in turns})[:12]
    return [one for one in turns if one.item in items]

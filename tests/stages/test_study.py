"""A whole small study on real weights under the study's own engine, twice."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from userturn import stages
from userturn.artifacts import files
from userturn.artifacts.labels import Label
from userturn.base import paths
from userturn.study.study import Study

ROOT = Path(__file__).parents[2]
MODEL = "smollm2_135m"
KINDS = ("answers", "scores", "user_turns", "controls", "grounding", "labels")


def small(laptop: Study, seed: int = 0) -> Study:
    """The laptop study on three prompts, with short answers and turns."""
    raw: dict[str, Any] = laptop.model_dump(mode="json")
    raw["seed"] = seed
    raw["prompts"] = {"datasets": ["gsm_symbolic"], "items": 3}
    raw["generate"]["answer"]["max_tokens"] = 48
    raw["generate"]["user_turn"] |= {"temperatures": [0.0, 1.0], "samples": 2, "max_tokens": 24}
    raw["calibrate"]["per_set"] = 2
    raw["reference"]["own"]["source"]["path"] = str(ROOT / "data/reference/conversations.jsonl")
    raw["statistics"]["bootstrap"] = 100
    return Study.model_validate(raw)


def run(study: Study, *names: str) -> None:
    """Run stages from an empty store."""
    shutil.rmtree("store", ignore_errors=True)
    for name, slug in stages.instances(study):
        if name in names:
            stages.run(study, name, slug)


def read_bytes() -> dict[str, bytes]:
    """The artifacts as they lie there."""
    return {kind: paths.artifact(kind, MODEL).read_bytes() for kind in KINDS}


@pytest.mark.slow
def test_same_seed_same_bytes_and_another_seed_others(
    laptop: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("USERTURN_CACHE", str(ROOT / ".cache"))
    monkeypatch.setenv("USERTURN_STORE", "store")
    study = small(laptop)
    run(study, *stages.ORDER)
    first = read_bytes()
    run(study, *stages.ORDER)
    assert read_bytes() == first
    assert json.loads(Path("reports/metrics.json").read_text())["study"]["prompts"] == {
        "gsm_symbolic": 3
    }

    labels = files.read(paths.artifact("labels", MODEL), "labels")
    assert labels.height == 3 * (1 + 2 + 3 + 1)
    assert set(labels["label"].drop_nulls()) <= set(Label)
    measures = files.read(paths.artifact("grounding", MODEL), "grounding")
    scored = measures.filter(pl.col("tokens") > 0)
    assert scored["uptake"].is_not_null().all()
    assert (scored["log_p"].list.max() <= 0).all()

    run(small(laptop, seed=1), "prompts", "generate")
    assert read_bytes()["user_turns"] != first["user_turns"]

"""Every way in which an artifact can be wrong is found, named and mended by another run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml

from userturn import __version__, stages
from userturn.artifacts import files, provenance
from userturn.base import paths
from userturn.study.study import Study
from userturn.workflow.verify import md5, verify

SOURCE = {"type": "generator", "module": "userturn.engines.fake", "version": __version__}
STUDY = Study.model_validate(
    {
        "prompts": {"datasets": ["own"], "items": None},
        "models": {"pretrained": ["fake"], "probe": ["fake"]},
        "generate": {"user_turn": {"temperatures": [0.0, 1.0], "samples": 2}},
        "ground": {"scorer": "fake"},
        "model": {"fake": {"source": SOURCE, "engine": {"name": "fake"}}},
        "dataset": {"own": {"kind": "jsonl", "source": {"type": "file", "path": "own.jsonl"}}},
    }
)
MADE = (
    "entries",
    "prompts",
    "weights",
    "generate",
    "score",
    "perturb",
    "ground",
    "classify",
    "calibrate",
)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the finished study, its hashes recorded as DVC does."""
    folder = tmp_path_factory.mktemp("study")
    rows = [{"id": str(n), "prompt": f"Question {n}?"} for n in range(3)]
    rows.append({"id": "long", "prompt": "word " * 20_000})  # skipped: does not fit
    shutil.copytree(ROOT / "data/reference", folder / "data/reference")
    with chdir(folder):
        Path("own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        for name, slug in stages.instances(STUDY):
            if name in MADE:
                stages.run(STUDY, name, slug)
        made = ("index.html", "metrics.json", "headline/m.json", "tables/rates.csv")
        for out in (*made, "figures/shares.svg"):
            (paths.REPORTS / out).parent.mkdir(parents=True, exist_ok=True)
            (paths.REPORTS / out).write_text(out)
        record()
    return folder


def record() -> None:
    """Write `dvc.lock` for the files as they are."""
    kinds = {"generate": ("answers", "user_turns"), "perturb": ("controls",)}
    kinds |= {
        "prompts": ("prompts",),
        "score": ("scores",),
        "ground": ("grounding",),
        "classify": ("labels",),
    }
    outs: dict[str, list[Path]] = {
        "entries": [paths.DATA / "entries"],
        "weights@fake": [paths.weights_pointer("fake")],
        "calibrate": [paths.DATA / "calibration"],
        "tables": [paths.REPORTS / name for name in ("headline", "metrics.json", "tables")],
        "figures": [paths.REPORTS / "figures"],
        "report": [paths.REPORTS / "index.html"],
    }
    for name, slug in stages.instances(STUDY):
        if name in kinds and slug:
            outs[f"{name}@{slug}"] = [paths.artifact(kind, slug) for kind in kinds[name]]
            if name == "generate":
                outs[f"{name}@{slug}"].append(paths.context(slug))
    lock = {
        stage: {"outs": [{"path": str(path), "md5": md5(path)} for path in made]}
        for stage, made in outs.items()
    }
    Path("dvc.lock").write_text(yaml.safe_dump({"stages": lock}))


@pytest.fixture
def study(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "study"
    shutil.copytree(finished, folder)
    monkeypatch.chdir(folder)
    return folder


def problems() -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for problem in verify(STUDY).problems:
        found.setdefault(str(problem.path), []).append(problem.text)
    return {path: "; ".join(texts) for path, texts in found.items()}


def rewrite(kind: str, change: Callable[[pl.DataFrame], pl.DataFrame], **facts: Any) -> None:
    """Change rows or provenance in a way that is valid by itself, and record the new hash."""
    path = paths.artifact(kind, "fake")
    frame, made = files.read(path, kind), provenance.read(path)
    files.write(path, kind, change(frame).to_dicts(), {**made, **facts})
    record()


def test_a_finished_study_is_sound(study: Path) -> None:
    found = verify(STUDY)
    assert found.problems == ()
    assert found.not_recomputed == ()
    assert found.files == 16


def test_ids_are_not_recomputed_without_the_model(study: Path) -> None:
    shutil.rmtree(".cache/weights")
    found = verify(STUDY)
    assert found.problems == ()
    assert found.not_recomputed == ("fake",)


def test_harmed_files_are_all_named(study: Path) -> None:
    answers = paths.artifact("answers", "fake")
    content = bytearray(answers.read_bytes())
    content[len(content) // 2] ^= 1
    answers.write_bytes(content)
    labels = paths.artifact("labels", "fake")
    labels.write_bytes(labels.read_bytes()[:-20])
    paths.artifact("grounding", "fake").unlink()
    paths.weights_pointer("fake").write_text("{}")
    Path("reports/tables/rates.csv").write_text("other")
    found = problems()
    recorded = "is not what dvc.lock records; `dvc checkout --force"
    assert recorded in found["data/answers/fake.parquet"]
    assert recorded in found["data/labels/fake.parquet"]
    assert "is corrupt" in found["data/labels/fake.parquet"]
    assert found["data/grounding/fake.parquet"].startswith("is missing; `dvc repro` restores")
    assert "is no pointer to weights" in found["data/weights/fake/weights.json"]
    assert recorded in found["reports/tables"]
    assert len(found) == 5


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("answers", lambda rows: rows[1:], "lacks 1 rows (prompts: 4), the first dataset='own'"),
        ("scores", lambda rows: rows[1:], "lacks 1 rows (prompts: 4), the first dataset='own'"),
        (
            "user_turns",
            lambda rows: rows.with_columns(sample=pl.col("sample") + 1),
            "has 8 rows beyond them (the study's turns: 12)",
        ),
        (
            "user_turns",
            lambda rows: rows.with_columns(request_id=pl.col("request_id").str.replace(".", "x")),
            "9 rows hold completions of other requests than the study's",
        ),
        ("controls", lambda rows: rows[::2], "lacks 8 rows (the study's turns: 16)"),
        ("grounding", lambda rows: rows[:-1], "lacks 1 rows (the study's turns: 32)"),
        ("labels", lambda rows: rows[2:], "lacks 2 labels by likelihood"),
        (
            "labels",
            lambda rows: rows.with_columns(judge=pl.lit("somebody")),
            "holds labels of 'somebody', no judge of the study",
        ),
        (
            "labels",
            lambda rows: rows.with_columns(label=pl.lit("great")),
            "rows that are no label and have no reason",
        ),
    ],
)
def test_rows_that_do_not_fit_the_others(
    study: Path, kind: str, change: Callable[[pl.DataFrame], pl.DataFrame], message: str
) -> None:
    rewrite(kind, change)
    found = problems()
    assert message in found[f"data/{kind}/fake.parquet"]


def test_unreadable_provenance_is_one_problem_among_others(study: Path) -> None:
    path = paths.artifact("labels", "fake")
    table = pq.read_table(path)
    harmed = {key: value[:-1] + b"?" for key, value in table.schema.metadata.items()}
    pq.write_table(table.replace_schema_metadata(harmed), path)
    rewrite("controls", lambda rows: rows[::2])
    found = problems()
    assert "carries no provenance" in found["data/labels/fake.parquet"]
    assert "lacks 8 rows" in found["data/controls/fake.parquet"]


def test_provenance_of_another_model_or_stage(study: Path) -> None:
    rewrite("answers", lambda rows: rows, weights="sha256:0/float32", stage="generate@other")
    text = problems()["data/answers/fake.parquet"]
    assert "was made by the weights sha256:0/float32, the study's model.fake is" in text
    assert "was made by stage generate@other, not generate@fake" in text


def test_stages_that_never_ran_are_named(study: Path) -> None:
    lock = yaml.safe_load(Path("dvc.lock").read_text())
    del lock["stages"]["figures"]
    Path("dvc.lock").write_text(yaml.safe_dump(lock))
    assert problems() == {"dvc.lock": "does not know figures; `dvc repro` runs it"}
    Path("dvc.lock").unlink()
    assert "cannot be read" in problems()["dvc.lock"]

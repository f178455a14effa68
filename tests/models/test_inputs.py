"""Fingerprints of local files, and the links by which DVC sees them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from userturn.base import paths
from userturn.models import hashes, inputs
from userturn.models.fetched import sha256
from userturn.study.study import Study


@pytest.fixture
def raw(laptop: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A study with local sources of every kind, in a folder of its own."""
    (tmp_path / "clone").mkdir()
    monkeypatch.chdir(tmp_path / "clone")
    monkeypatch.setenv("ELSEWHERE", str(tmp_path / "elsewhere"))
    for name in ("model/config.json", "model/sub/weights", "model/.hidden/note", "asked.jsonl"):
        write(tmp_path / "elsewhere" / name, name)
    for name in ("own.jsonl", "answers.jsonl", "near.jsonl", "data/inputs/here.jsonl"):
        write(Path(name), name)
    raw = laptop.model_dump(mode="json")
    raw["prompts"]["datasets"] = ["near", "here", "ifbench"]
    raw["calibrate"]["sets"] = ["gold", "own"]
    raw["dataset"] |= {
        "near": {"kind": "jsonl", "source": local("near.jsonl")},
        "here": {"kind": "jsonl", "source": local("data/inputs/here.jsonl")},
        "asked": {"kind": "jsonl", "source": local("${ELSEWHERE}/asked.jsonl")},
    }
    raw["model"]["smollm2_135m"] |= {"source": local("${ELSEWHERE}/model"), "format": "hf"}
    raw["reference"] |= {
        "gold": {"kind": "gold", "source": local("own.jsonl"), "prompts": "asked"},
        "own": {
            "kind": "mt_bench",
            "source": local("own.jsonl"),
            "answers": local("answers.jsonl"),
        },
    }
    return raw


def local(path: str) -> dict[str, str]:
    return {"type": "file", "path": path}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (1e9, 1e9))


def links() -> dict[str, Path]:
    files = (path for path in paths.LINKED.rglob("*") if path.is_symlink() or path.is_file())
    return {path.relative_to(paths.LINKED).as_posix(): path for path in files}


def test_every_local_source_has_a_fingerprint(raw: dict[str, Any], tmp_path: Path) -> None:
    now = inputs.fingerprints(Study.model_validate(raw))
    assert now["dataset.near"] == sha256(Path("near.jsonl"))
    assert now["model.smollm2_135m"] == sha256(tmp_path / "elsewhere/model")
    assert now["dataset.asked"] == sha256(tmp_path / "elsewhere/asked.jsonl")
    both = (sha256(Path("own.jsonl")), sha256(Path("answers.jsonl")))
    assert now["reference.own"] == "+".join(both)
    assert now["dataset.ifbench"] is None
    assert inputs.flat(inputs.nested(now)) == now


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("near.jsonl", "dataset.near"),
        ("../elsewhere/model/sub/weights", "model.smollm2_135m"),
        ("answers.jsonl", "reference.own"),
        ("../elsewhere/asked.jsonl", "dataset.asked"),
    ],
)
def test_an_edit_changes_one_fingerprint(raw: dict[str, Any], path: str, key: str) -> None:
    study = Study.model_validate(raw)
    before = inputs.fingerprints(study)
    write(Path(path), "x" * len(Path(path).read_text()))  # the same size
    os.utime(path, (2e9, 2e9))
    after = inputs.fingerprints(study)
    assert {one for one in before if before[one] != after[one]} == {key}


def test_what_did_not_change_is_not_read_again(
    raw: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study.model_validate(raw)
    before = inputs.fingerprints(study)
    monkeypatch.setattr(hashes, "file_sha256", lambda path: pytest.fail(f"read {path} again"))
    assert inputs.fingerprints(study) == before


def test_an_edit_a_moment_ago_is_not_trusted_to_times(raw: dict[str, Any]) -> None:
    study = Study.model_validate(raw)
    Path("near.jsonl").write_text("one")
    stamp = Path("near.jsonl").stat().st_mtime_ns
    before = inputs.fingerprints(study)
    Path("near.jsonl").write_text("two")
    os.utime("near.jsonl", ns=(stamp, stamp))
    assert inputs.fingerprints(study)["dataset.near"] != before["dataset.near"]


def test_what_is_not_here_keeps_its_record(raw: dict[str, Any], tmp_path: Path) -> None:
    study = Study.model_validate(raw)
    before = inputs.fingerprints(study)
    shutil.rmtree(tmp_path / "elsewhere")
    assert inputs.fingerprints(study)["dataset.asked"] is None
    paths.entries("inputs").parent.mkdir(parents=True)
    paths.entries("inputs").write_text(json.dumps(inputs.nested(before)))
    assert inputs.fingerprints(study) == before


def test_links_are_of_what_lies_elsewhere(raw: dict[str, Any], tmp_path: Path) -> None:
    study = Study.model_validate(raw)
    inputs.link(study)
    made = links()
    assert set(made) == {
        "dataset.near",
        "dataset.asked",
        "model.smollm2_135m/config.json",
        "model.smollm2_135m/sub/weights",
        "reference.gold",
        "reference.own",
        "reference.own.1",
    }
    assert all(path.is_symlink() for path in made.values())
    assert made["reference.own.1"].read_text() == "answers.jsonl"
    assert not Path(os.readlink(made["dataset.near"])).is_absolute()

    times = {name: path.lstat().st_mtime_ns for name, path in made.items()}
    inputs.link(study)
    assert {name: path.lstat().st_mtime_ns for name, path in links().items()} == times

    raw["model"]["smollm2_135m"]["source"] = local("near.jsonl")  # a folder becomes a file
    raw["prompts"]["datasets"] = ["here"]
    shutil.rmtree(tmp_path / "elsewhere")
    inputs.link(Study.model_validate(raw))
    made = links()
    assert set(made) == {
        "dataset.asked",
        "model.smollm2_135m",
        "reference.gold",
        "reference.own",
        "reference.own.1",
    }
    assert made["dataset.asked"].read_text() == inputs.ABSENT
    assert not made["dataset.asked"].is_symlink()

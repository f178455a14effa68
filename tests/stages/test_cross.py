"""Stage `cross`: one model's user turns behind the stored answers of others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from userturn import __version__, stages, tables
from userturn.artifacts import files, turns
from userturn.artifacts.schemas import BASE
from userturn.base import paths
from userturn.study.study import Study
from userturn.workflow.verify import verify

SOURCE = {"type": "generator", "module": "userturn.engines.fake", "version": __version__}
REFERENCES = {"0": "Nought, says the book.", "1": "One, says the book."}  # and none of 2
EACH = 1 + 2  # greedy, and two samples
WITHOUT = {"cross": [], "answer_source": "self"}

Run = Callable[..., Study]


def make_study(cross: list[str], answer_source: str | list[str]) -> Study:
    models = ["one", "two"]
    engine = {"name": "fake", "max_model_len": 2048}
    return Study.model_validate(
        {
            "prompts": {"datasets": ["own"], "items": None},
            "models": {"pretrained": models, "probe": models, "cross": cross},
            "generate": {
                "answer_source": answer_source,
                "user_turn": {"temperatures": [0.0, 1.0], "samples": 2},
            },
            "perturb": {"conditions": ["truncate"]},
            "statistics": {"bootstrap": 100},
            "model": {
                slug: {"source": {**SOURCE, "seed": seed}, "engine": engine}
                for seed, slug in enumerate(models)
            },
            "dataset": {"own": {"kind": "jsonl", "source": {"type": "file", "path": "own.jsonl"}}},
        }
    )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run stages of a study of two fake models in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("USERTURN_FAKE_LOG", str(tmp_path / "sent.log"))
    rows = [
        {"id": str(n), "prompt": f"What is {n}?", "answer": REFERENCES.get(str(n))}
        for n in range(3)
    ]
    Path("own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(*names: str, **keys: Any) -> Study:
        study = make_study(**keys)
        for name, slug in stages.instances(study):
            if name in names:
                stages.run(study, name, slug)
        return study

    return run


def sent() -> list[str]:
    return Path("sent.log").read_text().split()


def read(kind: str, slug: str) -> pl.DataFrame:
    return files.read(paths.artifact(kind, slug), kind)


GENERATED = ("prompts", "weights", "generate")


def test_stored_answers_are_shown_and_none_is_written_again(run: Run) -> None:
    run(*GENERATED, **WITHOUT)
    bytes_before = {
        path: path.read_bytes() for path in Path("data").rglob("*.parquet") if path.is_file()
    }
    before = sent()
    keys = {"cross": ["one", "two"], "answer_source": ["self", "reference", "two"]}
    run(*GENERATED, "cross", **keys)
    for path, content in bytes_before.items():
        assert path.read_bytes() == content, f"{path}: the turns behind own answers have changed"
    one, two = read("cross", "one"), read("cross", "two")
    assert set(one["answer_source"]) == {"reference", "two"}
    assert set(two["answer_source"]) == {"reference"}, "its own answers are no other source"
    assert (one["condition"] == "behind_" + one["answer_source"]).all()
    assert one.height == 2 * 3 * EACH
    theirs = dict(read("answers", "two").select("item", "text").iter_rows())
    for item, source, answer, skipped in one.select(
        "item", "answer_source", "answer", "skipped"
    ).iter_rows():
        expected = theirs[item] if source == "two" else REFERENCES.get(item)
        assert answer == expected
        assert (skipped is None) == (expected is not None)
    reasons = one.filter(pl.col("skipped").is_not_null())["skipped"].unique().to_list()
    assert reasons == ["reference: the dataset has no reference answer for this prompt"]
    added = sorted(sent())
    for request in before:
        added.remove(request)
    requests = set(pl.concat([one, two])["request_id"].drop_nulls())
    assert sorted(added) == sorted(requests), "only turns were asked for, each once"


def test_sources_are_kept_apart_down_to_the_tables(run: Run) -> None:
    steps = (*GENERATED, "score", "perturb", "cross", "ground", "classify", "tables")
    run(*steps, **WITHOUT)
    plain = {name: tables.path_of(name).read_bytes() for name in ("rates", "labels", "controls")}
    metrics = json.loads(tables.METRICS.read_text())
    assert tables.read("cross") == []
    keys = {"cross": ["one"], "answer_source": ["two", "reference"]}
    study = run(*steps, **keys)
    for name, content in plain.items():
        assert tables.path_of(name).read_bytes() == content, name
    numbers = json.loads(tables.METRICS.read_text())
    behind = numbers["model"]["one"].pop("behind")
    assert numbers == metrics, "the headline is that of own answers alone"
    assert set(behind) == {"two", "reference"}
    rows = tables.read("cross")
    assert {row["model"] for row in rows} == {"one"}
    assert [row["source"] for row in rows[:3]] == ["self", "two", "reference"]
    frame = turns.frame(study, "one")
    assert set(frame["condition"]) == {BASE, "truncate", "behind_two", "behind_reference"}
    labels = turns.labels_of("one")
    for row in rows:
        if (row["dataset"], row["temperature"]) != ("own", 0.0):
            continue
        ours = labels.filter(condition=row["condition"], temperature=0.0)
        valid = ours.filter(pl.col("label").is_not_null())
        assert row["followups"] == (valid["label"] == "followup").sum()
        assert row["prompts"] == valid.height
    by_source = {r["source"]: r for r in rows if (r["dataset"], r["temperature"]) == ("all", 0.0)}
    assert by_source["self"]["difference"] is None
    assert by_source["reference"]["pairs"] == len(REFERENCES)
    gap = by_source["two"]["rate"] - by_source["self"]["rate"]
    assert by_source["two"]["difference"] == pytest.approx(gap, abs=1e-6)


def test_verify_works_the_requests_out_again_and_misses_none(run: Run) -> None:
    keys = {"cross": ["one"], "answer_source": ["self", "two"]}
    study = run(*GENERATED, "score", "perturb", "cross", "ground", "classify", **keys)
    about_cross = [one for one in verify(study).problems if one.path.parent.name == "cross"]
    assert about_cross == []
    path = paths.artifact("cross", "one")
    rows = files.read(path, "cross").to_dicts()
    facts = {"stage": "cross@one", "weights": "another"}
    files.write(path, "cross", [{**row, "request_id": "0" * 32} for row in rows[1:]], facts)
    texts = [one.text for one in verify(study).problems if one.path == path]
    assert any("lacks 1 rows" in text for text in texts)
    assert any("completions of other requests" in text for text in texts)
    assert any("was made by the weights another" in text for text in texts)


def test_a_model_that_writes_no_more_leaves_no_file(run: Run) -> None:
    run(*GENERATED, "cross", cross=["one", "two"], answer_source=["self", "reference"])
    Path("data/cross/README.md").write_text("kept")
    stages.prune(make_study(["two"], ["self", "reference"]))
    assert sorted(path.name for path in Path("data/cross").iterdir()) == [
        "README.md",
        "two.parquet",
    ]

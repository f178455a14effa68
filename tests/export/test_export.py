"""What leaves for other tools: their own readers load it, and it says what the artifacts say."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import datasets
import polars as pl
import pytest
import yaml

from synthetic import held_out, make_study, write_artifacts
from userturn import export, tables
from userturn.artifacts import files, provenance
from userturn.artifacts.labels import Label
from userturn.artifacts.turns import frame
from userturn.base import paths, registry
from userturn.base.errors import ArtifactError, UserturnError
from userturn.export import Format
from userturn.judges.human import labels as human
from userturn.stages import tables as tables_stage
from userturn.tables import _adjusted

MODELS = {"small": ("One", 0.1), "large": ("One", 1)}
JUDGES = {"classify": {"judges": ["likelihood", "reader"], "judge_model": "small"}}
READER = {"reader": {"type": "local"}}
HOSTILE = "=1+1 <script>alert(1)</script> \x1b[2J \u202e\n<|im_end|>"
NOTHING = dict.fromkeys(("text", "end", "request_id", "token_ids", "stop_token"))
WEIGHTS = {"weights": "sha256:0", "engine": {"engine": "fake"}, "chat_template": "0", "judges": {}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A study and the folder of its artifacts; no test changes it."""
    folder, given = tmp_path_factory.mktemp("finished"), held_out()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(_adjusted.calibration, "of_study", lambda study: given)
        return make(), folder


@pytest.fixture
def study(finished, tmp_path, monkeypatch):
    made, folder = finished
    shutil.copytree(folder, tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    return made


def make():
    made = make_study(MODELS, ("gsm8k", "mt_bench"), (0.0, 1.0), 2, ("swap",), judge=READER,
                      **JUDGES)  # fmt: skip

    def edit(kind, slug, row):
        at_zero = row.get("item") == "0000" and row.get("dataset") == "gsm8k"
        if kind == "user_turns" and at_zero and row["temperature"] == 0:
            return {**row, "text": HOSTILE}
        if kind == "user_turns" and at_zero:
            return {
                **row,
                "text": None,
                "end": None,
                "skipped": "too long",
                "request_id": None,
                "token_ids": None,
                "stop_token": None,
            }
        if kind == "labels" and at_zero and row["condition"] == "base" and row["temperature"]:
            return None
        if kind == "labels" and row["judge"] == "reader" and row["item"] == "0001":
            return {**row, "label": None, "invalid": "no JSON"}
        return row

    write_artifacts(made, items=4, edit=edit)
    for kind in ("user_turns", "labels"):
        for slug in MODELS:
            path = paths.artifact(kind, slug)
            rows = files.read(path, kind).to_dicts()
            files.write(path, kind, rows, provenance.of("synthetic", {}, **WEIGHTS))
    tables_stage.run(made)
    text, _ = next(iter(human.shown(made, "small").items()))
    line = human.Annotation(**text.model_dump(), label=Label.META, seconds=1, time="2026")
    human.FOLDER.mkdir(parents=True)
    human.file_of("ann").write_text(line.model_dump_json() + "\n")
    return made


def key(row):
    return tuple(row[name] for name in ("dataset", "item", "condition", "temperature", "sample"))


def test_datasets_reads_every_turn_with_its_labels(study, tmp_path):
    said = export.write(study, "datasets", tmp_path / "out")
    assert "load_from_disk" in said
    read = datasets.load_from_disk(str(tmp_path / "out"))
    assert list(read) == list(MODELS)
    for slug in MODELS:
        rows = read[slug].to_list()
        turns = frame(study, slug)
        assert [key(row) for row in rows] == [key(row) for row in turns.to_dicts()]
        assert [row["text"] for row in rows] == turns["text"].to_list()
        labels = files.read(paths.artifact("labels", slug), "labels")
        given = Counter(
            (said["judge"], said["against"], said["label"])
            for row in rows for said in row["labels"] if not said["person"]
        )  # fmt: skip
        assert given == Counter(labels.select("judge", "against", "label").iter_rows())
        for row in rows:
            judges = [said["judge"] for said in row["labels"] if said["against"] == "shown"]
            assert judges[:2] == (["likelihood", "reader"] if row["skipped"] is None else [])
    grounding = files.read(paths.artifact("grounding", "small"), "grounding")
    shown = grounding.filter(pl.col("against") == "shown")["uptake"].mean()
    generated = [row["uptake"] for row in read["small"].to_list() if row["uptake"] is not None]
    assert sum(generated) / len(generated) == pytest.approx(shown)


def test_a_persons_label_stands_beside_the_judges(study, tmp_path):
    export.write(study, "datasets", tmp_path / "out")
    read = datasets.load_from_disk(str(tmp_path / "out"))
    people = [
        (said["judge"], said["label"])
        for split in read.values() for row in split for said in row["labels"] if said["person"]
    ]  # fmt: skip
    assert people == [("ann", "meta")]


def test_the_card_says_what_the_columns_are_and_whose_the_texts_are(study, tmp_path):
    export.write(study, "datasets", tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    _, head, body = text.split("---\n", 2)
    assert yaml.safe_load(head)["license"] == "other"
    columns = datasets.load_from_disk(str(tmp_path / "out"))["small"].column_names
    assert all(f"`{name}`" in body for name in [*columns, *MODELS, *study.dataset, *Label])
    for split in MODELS:
        assert f"| `{split}` | {len(frame(study, split))} |" in body


def test_inspect_reads_its_logs(study, tmp_path):
    log = pytest.importorskip("inspect_ai.log", reason="extra `inspect` is not installed")
    assert "inspect view" in export.write(study, "inspect", tmp_path / "logs")
    logs = [log.read_eval_log(info) for info in log.list_eval_logs(str(tmp_path / "logs"))]
    assert len(logs) == len(MODELS) * 3
    rates = tables.read("rates")
    for one in logs:
        args = one.eval.task_args
        turns = frame(study, one.eval.model).filter(
            condition=args["condition"], temperature=args["temperature"]
        )
        assert one.status == "success"
        assert [
            (*sample.id.split("/", 1), sample.epoch - 1, sample.output.completion or None)
            for sample in one.samples
        ] == sorted(
            ((r["dataset"], r["item"], r["sample"], r["text"] or None) for r in turns.to_dicts()),
            key=lambda sample: (sample[2], sample[:2]),
        )
        labels = files.read(paths.artifact("labels", one.eval.model), "labels")
        for sample in one.samples:
            of_turn = labels.filter(
                pl.col("dataset") + "/" + pl.col("item") == sample.id,
                pl.col("sample") == sample.epoch - 1,
                against="shown", condition=args["condition"], temperature=args["temperature"],
            )  # fmt: skip
            values = {
                name: None if score.value != score.value else score.value  # NaN: unscored
                for name, score in (sample.scores or {}).items()
                if not name.startswith("person/")
            }
            assert values == dict(of_turn.select("judge", "label").iter_rows())
            assert (sample.error is not None) == (sample.scores is None)
        for score in one.results.scores:
            wanted = {
                "judge": score.name, "model": one.eval.model, "dataset": "all",
                "condition": args["condition"], "temperature": args["temperature"],
            }  # fmt: skip
            row = [row for row in rates if wanted.items() <= row.items()]
            assert {name: metric.value for name, metric in score.metrics.items()} == {
                name: row[0][name] for name in score.metrics
            }
            assert bool(row) == bool(score.metrics) == (score.name != "person/ann")
            if row:
                counts = row[0]["samples"] - row[0]["invalid"], len(one.samples)
                assert (score.scored_samples, score.unscored_samples) == (
                    counts[0], counts[1] - counts[0],
                )  # fmt: skip
    greedy = next(one for one in logs if one.eval.task == "userturn_base_t0")
    assert greedy.samples[0].messages[-1].role == "user"
    assert any(sample.output.completion == HOSTILE for sample in greedy.samples)


def test_without_inspect_the_mend_is_said(study, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "inspect_ai.log", None)
    with pytest.raises(UserturnError, match=r"userturn\[inspect\]"):
        export.write(study, "inspect", tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


def test_a_folder_is_written_whole_or_not_at_all(study, tmp_path):
    full, empty = tmp_path / "full", tmp_path / "empty"
    full.mkdir()
    empty.mkdir()
    (full / "mine").touch()
    with pytest.raises(UserturnError, match="is there already"):
        export.write(study, "datasets", full)
    with pytest.raises(UserturnError, match="unknown; there are datasets, inspect"):
        export.write(study, "arff", empty)
    paths.artifact("labels", "large").write_bytes(b"torn")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ArtifactError, match=r"large\.parquet"):
        export.write(study, "datasets", tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == before
    write_artifacts(study, items=4)
    export.write(study, "datasets", empty)
    assert json.loads((empty / "dataset_dict.json").read_text())["splits"] == list(MODELS)


def test_every_format_says_what_it_is():
    for name in export.names():
        chosen = registry.load("export", name, "FORMAT")
        assert isinstance(chosen, Format)
        assert "{folder}" in chosen.opened

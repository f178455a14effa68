"""Artifacts: same content same bytes, checked on write and on read."""

import os
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from userturn.artifacts import files, provenance, schemas
from userturn.base.errors import ArtifactError


def prompt(item: str, **changes: Any) -> dict[str, Any]:
    row = dict.fromkeys(schemas.PROMPTS)
    return {**row, "dataset": "d", "item": item, "order": 0, "text": "t", **changes}


ROWS = [prompt(str(n), text=f"¿Qué? {n} \U0001f600") for n in range(50)]


def test_same_rows_same_bytes_whatever_their_order(tmp_path: Path) -> None:
    shuffled = ROWS.copy()
    random.Random(0).shuffle(shuffled)
    files.write(tmp_path / "a.parquet", "prompts", ROWS, {"x": 1})
    files.write(tmp_path / "b.parquet", "prompts", shuffled, {"x": 1})
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert not list(tmp_path.glob("*.partial"))


def test_round_trip_with_provenance(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.parquet"
    facts = provenance.of("prompts@d", {"seed": 0}, engine={"name": "fake"})
    files.write(path, "prompts", ROWS, facts)
    frame = files.read(path, "prompts")
    assert frame.to_dicts() == sorted(ROWS, key=lambda row: row["item"])
    stored = provenance.read(path)
    assert stored["params"] == {"seed": 0}
    assert stored["kind"] == "prompts"
    assert {"userturn", "transformers", "torch"} <= set(stored["packages"])


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="two rows have the key dataset='d', item='1'"):
        files.write(tmp_path / "a.parquet", "prompts", [prompt("1"), prompt("1")], {})
    assert not (tmp_path / "a.parquet").exists()


@pytest.mark.parametrize(
    "row", [prompt("1", extra=1), {"dataset": "d", "item": "1"}, prompt("1", order="first")]
)
def test_a_row_of_another_schema_is_refused(tmp_path: Path, row: dict[str, Any]) -> None:
    with pytest.raises(ArtifactError, match="does not fit schema 'prompts'"):
        files.write(tmp_path / "a.parquet", "prompts", [row], {})


def test_what_is_read_must_be_whole_and_of_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    with pytest.raises(ArtifactError, match=r"a\.parquet: is missing.*dvc"):
        files.read(path, "prompts")
    files.write(path, "prompts", ROWS, {})
    with pytest.raises(ArtifactError, match=r"a\.parquet: has not the schema of 'labels'"):
        files.read(path, "labels")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ArtifactError, match=r"a\.parquet: is corrupt.*dvc checkout"):
        files.read(path, "prompts")
    with pytest.raises(ArtifactError, match="carries no provenance"):
        provenance.read(path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "a.parquet"
    files.write(path, "prompts", ROWS, {})
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArtifactError, match=r"No space left on device.*run the same command again"):
        files.write(path, "prompts", ROWS[:1], {})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.parquet"]


def test_prune_removes_only_slugs_the_study_lost(tmp_path: Path) -> None:
    for name in ("a.parquet", "b.parquet", "notes.txt"):
        (tmp_path / name).write_text("x")
    assert files.prune(tmp_path, ["a"]) == [tmp_path / "b.parquet"]
    assert {p.name for p in tmp_path.iterdir()} == {"a.parquet", "notes.txt"}


def answer(**changes: Any) -> dict[str, Any]:
    row = dict.fromkeys(schemas.ANSWERS)
    done = {"request_id": "r", "text": "t", "token_ids": [1], "end": "eos", "context_tokens": 1}
    return {**row, **done, "dataset": "d", "item": "1", **changes}


NOTHING = dict.fromkeys(("request_id", "text", "token_ids", "end"))


@pytest.mark.parametrize(
    ("row", "sound"),
    [
        (answer(), True),
        (answer(**NOTHING, skipped="too long"), True),
        (answer(**{**NOTHING, "text": "the dataset's own"}), True),
        (answer(request_id=None), False),
        (answer(text=None), False),
        (answer(skipped="too long"), False),
        (answer(**NOTHING), False),
    ],
)
def test_a_row_without_its_request_is_refused(
    tmp_path: Path, row: dict[str, Any], sound: bool
) -> None:
    path = tmp_path / "a.parquet"
    files.write(path, "answers", [row], {})
    if sound:
        assert len(files.read(path, "answers")) == 1
    else:
        with pytest.raises(ArtifactError, match=r"1 rows are neither.*the first dataset='d'"):
            files.read(path, "answers")


def test_a_row_without_its_key_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    files.write(path, "prompts", [prompt("1", dataset=None)], {})
    with pytest.raises(ArtifactError, match="a row without its key"):
        files.read(path, "prompts")
    table = pq.read_table(path)
    facts = table.schema.metadata[provenance.METADATA_KEY].replace(b"prompts", b"labels")
    for metadata, message in (
        ({provenance.METADATA_KEY: facts}, "was written as 'labels', not as 'prompts'"),
        (None, "carries no provenance"),
    ):
        pq.write_table(table.replace_schema_metadata(metadata), path)
        with pytest.raises(ArtifactError, match=message):
            files.read(path, "prompts")


def test_measures_have_the_columns_that_artifacts_have_had_since_the_first() -> None:
    names = list(schemas.columns("grounding"))
    tokens = ["tokens", "token_texts"]
    behind = ["log_p", "log_p_neutral", "log_p_alone", "log_p_assistant"]
    measures = ["uptake", "relevance", "role_voice", "restatement", "echo", "loop"]
    assert names[:18] == [*schemas.AGAINST_KEY, *tokens, *behind, *measures]

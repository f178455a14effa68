"""Artifacts as files: Parquet of a known schema, provenance inside, written whole or not at all.

The same rows made in the same way give the same bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from userturn.artifacts import provenance, schemas
from userturn.base.errors import ArtifactError
from userturn.base.files import replacing

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


def write(
    path: Path, kind: str, rows: Iterable[Mapping[str, Any]], facts: Mapping[str, Any]
) -> None:
    """Write rows sorted by their key, atomically: a reader sees the old file or the new one.

    Args:
        path: Destination; its folder is made.
        kind: Key of schemas.KEYS.
        rows: One mapping per row with exactly the columns of the schema.
        facts: Its provenance, see `provenance.of`.

    Raises:
        ArtifactError: A row has other columns, two rows have the same key, or the file cannot be
            written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns, key = schemas.columns(kind), schemas.KEYS[kind]
    ordered = sorted(rows, key=lambda row: tuple(row[name] for name in key))
    for row in ordered:
        if set(row) != set(columns):
            odd = ", ".join(sorted(set(row) ^ set(columns)))
            raise ArtifactError(f"{path}: a row does not fit schema '{kind}': {odd}")
    for left, right in pairwise(ordered):
        if all(left[name] == right[name] for name in key):
            identity = ", ".join(f"{name}={right[name]!r}" for name in key)
            raise ArtifactError(f"{path}: two rows have the key {identity}")
    schema = _schema(kind).with_metadata(provenance.pack(facts, kind))
    try:
        table = pa.Table.from_pylist([dict(row) for row in ordered], schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ArtifactError(f"{path}: a row does not fit schema '{kind}': {error}") from None
    with replacing(path) as partial:
        pq.write_table(table, partial, compression="zstd", store_schema=True)


def read(
    path: Path, kind: str, only: Sequence[str] = (), items: Collection[str] | None = None
) -> pl.DataFrame:
    """Read an artifact and check its schema, provenance, keys, and that rows have their requests.

    Args:
        path: The file.
        kind: Key of schemas.KEYS.
        only: Columns that are enough, of a file whose other ones may be those of another version;
            then requests are not checked, and keys only where all their columns are among them.
        items: Only rows of these items of their datasets, by default all.

    Returns:
        A frame with the columns of schemas.columns(kind), in the order of schemas.KEYS[kind].

    Raises:
        ArtifactError: The file is missing, corrupt, of another schema or kind, holds a key twice or
            not at all, or a row whose completion comes from no request.
    """
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        filters = None if items is None else [("item", "in", list(items))]
        table = pq.read_table(path, columns=list(only) or None, filters=filters)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: is missing; `dvc repro` restores or makes it") from None
    except (OSError, pa.ArrowException) as error:
        raise ArtifactError(
            f"{path}: is corrupt ({error}); `dvc checkout --force {path}` restores it"
        ) from None
    expected = _schema(kind, only)
    if not table.schema.remove_metadata().equals(expected):
        names = ", ".join(table.schema.names)
        raise ArtifactError(
            f"{path}: has not the schema of '{kind}' (columns found: {names}); it was made by "
            "another version: run `dvc repro`"
        )
    if (made_as := provenance.unpack(table.schema.metadata, path).get("kind")) != kind:
        raise ArtifactError(f"{path}: was written as '{made_as}', not as '{kind}'; run `dvc repro`")
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    if only and not set(schemas.KEYS[kind]) <= set(only):
        return frame
    keys = frame.select(schemas.KEYS[kind])
    if keys.is_duplicated().any():
        raise ArtifactError(f"{path}: holds a row key twice; run `dvc repro`")
    if any(column.has_nulls() for column in keys):
        raise ArtifactError(f"{path}: holds a row without its key; run `dvc repro`")
    if "request_id" in schemas.columns(kind) and not only:
        odd = frame.filter(~_sound(kind))
        if len(odd):
            row = ", ".join(f"{name}={odd[name][0]!r}" for name in schemas.KEYS[kind])
            raise ArtifactError(
                f"{path}: {len(odd)} rows are neither a request with its completion nor skipped "
                f"with a reason, the first {row}; run `dvc repro`"
            )
    return frame


def prune(folder: Path, keep: Iterable[str], suffix: str = ".parquet") -> list[Path]:
    """Delete files of slugs that the study no longer has, and return them.

    Stages that gather a folder depend on the whole of it, so a leftover file would make the same
    study look changed on another clone. DVC's cache still has what is deleted here.
    """
    wanted = set(keep)
    stray = [path for path in sorted(folder.glob(f"*{suffix}")) if path.stem not in wanted]
    for path in stray:
        path.unlink(missing_ok=True)  # another stage may do the same
    return stray


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


def _schema(kind: str, only: Sequence[str] = ()) -> pa.Schema:
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "int64": pa.int64(),
        "float64": pa.float64(),
        "bool": pa.bool_(),
        "list<int32>": pa.list_(pa.int32()),
        "list<float64>": pa.list_(pa.float64()),
        "list<string>": pa.list_(pa.string()),
        "list<message>": pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])),
    }
    columns = schemas.columns(kind)
    return pa.schema([(name, types[columns[name]]) for name in only or columns])

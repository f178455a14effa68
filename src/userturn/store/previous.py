"""Previous outputs of a stage: named by `dvc.lock`, kept in DVC's cache.

DVC removes a stage's outputs before it runs its command, but `dvc.lock` still holds their hashes
while the command runs. What a colleague generated and pushed is cached here, pulled or not.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import yaml

log = logging.getLogger(__name__)

LOCK_FILE = Path("dvc.lock")


def outputs(stage: str, ending: str = ".parquet") -> list[Path]:
    """Cached files of this ending that `dvc.lock` names as outputs of a stage.

    What the cache lacks is fetched from the default remote, if there is one: `dvc repro --pull`
    pulls no old outputs of a stage that has changed. A missing lock file, another lock format, an
    absent cache or a remote out of reach only mean that less is reused.
    """
    hashes = _output_hashes(stage, ending)
    if not hashes:
        return []
    folder = _cache_folder()
    cached = {value: folder / "files" / "md5" / value[:2] / value[2:] for value in hashes}
    missing = [value for value, path in cached.items() if not path.is_file()]
    if missing:
        _fetch(stage, missing)
    return [path for path in cached.values() if path.is_file()]


def recorded(stage: str, ending: str = ".parquet") -> bool:
    """Whether `dvc.lock` names such outputs, wherever they are; looks at no other file."""
    return bool(_output_hashes(stage, ending))


def _fetch(stage: str, hashes: list[str]) -> None:
    from dvc.repo import Repo
    from dvc_data.hashfile.hash_info import HashInfo

    try:
        with Repo(str(_root())) as repo:
            if repo.config["core"].get("remote"):
                log.info("%s: fetching its previous output from DVC's remote", stage)
                repo.cloud.pull({HashInfo("md5", value) for value in hashes})
    except Exception as error:  # whatever the remote's client raises; the engine can do without
        log.warning("%s: previous output not fetched (%s)", stage, error)


def _output_hashes(stage: str, ending: str) -> list[str]:
    try:
        lock = yaml.safe_load(LOCK_FILE.read_text(encoding="utf-8")) or {}
        outs = lock["stages"][stage]["outs"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return []
    return [out["md5"] for out in outs if out["path"].endswith(ending) and "md5" in out]


def _cache_folder() -> Path:
    """DVC's cache: its own setting where there is one, else `.dvc/cache`."""
    from dvc.config import Config
    from dvc.exceptions import DvcException

    root = _root()
    try:
        configured = Config(str(root / ".dvc"))["cache"].get("dir")
    except (DvcException, KeyError) as error:
        log.warning("DVC's configuration cannot be read (%s): nothing is reused", error)
        configured = None
    return Path(configured) if configured else root / ".dvc" / "cache"


def _root() -> Path:
    return Path(os.environ.get("DVC_ROOT", "."))

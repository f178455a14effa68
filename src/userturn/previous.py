"""Previous outputs of a stage: named by `dvc.lock`, kept in DVC's cache.

DVC removes a stage's outputs before it runs its command, but `dvc.lock` still holds their hashes
while the command runs. What a colleague generated and pushed is found here.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import yaml

log = logging.getLogger(__name__)

LOCK_FILE = Path("dvc.lock")


def outputs(stage: str) -> list[Path]:
    """Cached Parquet files that `dvc.lock` names as outputs of a stage and that are present.

    A missing lock file, another lock format or an absent cache only means that nothing is reused.
    """
    hashes = _output_hashes(stage)
    if not hashes:
        return []
    folder = _cache_folder()
    found = [folder / "files" / "md5" / value[:2] / value[2:] for value in hashes]
    return [path for path in found if path.is_file()]


def _output_hashes(stage: str) -> list[str]:
    try:
        lock = yaml.safe_load(LOCK_FILE.read_text(encoding="utf-8")) or {}
        outs = lock["stages"][stage]["outs"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return []
    return [out["md5"] for out in outs if out["path"].endswith(".parquet") and "md5" in out]


def _cache_folder() -> Path:
    """DVC's cache: its own setting where there is one, else `.dvc/cache`."""
    from dvc.config import Config
    from dvc.exceptions import DvcException

    root = Path(os.environ.get("DVC_ROOT", "."))
    try:
        configured = Config(str(root / ".dvc"))["cache"].get("dir")
    except (DvcException, KeyError) as error:
        log.warning("DVC's configuration cannot be read (%s): nothing is reused", error)
        configured = None
    return Path(configured) if configured else root / ".dvc" / "cache"

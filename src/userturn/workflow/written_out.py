"""Keys that have to stand in a file: those that `dvc.yaml` names, for DVC knows no defaults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from userturn.base.errors import StudyError
from userturn.study.loading import PARAMS_FILE
from userturn.study.slices import REFERENCE, value_at
from userturn.study.yaml import read_mapping

DVC_FILE = Path("dvc.yaml")


def check_matrices(params: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Refuse what DVC cannot resolve: a list of stages' slugs that is left to its default.

    Raises:
        StudyError: A key is not written out.
    """
    for stage in read_mapping(DVC_FILE)["stages"].values():
        for reference in stage.get("matrix", {}).values():
            value(PARAMS_FILE, params, REFERENCE.sub(r"\1", reference), defaults)


def value(file: Path, written: Mapping[str, Any], key: str, defaults: Mapping[str, Any]) -> Any:
    """Value of a key that has to stand in a file. Raises StudyError where it does not."""
    try:
        return value_at(written, key)
    except KeyError:
        raise StudyError(
            f"{file}: write out {key}, since DVC compares it and knows no defaults; its "
            f"default is {json.dumps(value_at(defaults, key), ensure_ascii=False)}"
        ) from None

"""Reading a study: `params.yaml` says what is measured, `registry.yaml` what its slugs stand for.

Unknown keys, unknown slugs and values out of range are errors that name the file, the key and what
is allowed there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from userturn.base.errors import StudyError
from userturn.study.explaining import explain_error
from userturn.study.section import Section
from userturn.study.study import Params, Registry, Study
from userturn.study.yaml import read_mapping

PARAMS_FILE = Path("params.yaml")
REGISTRY_FILE = Path("registry.yaml")

S = TypeVar("S", bound=Section)


def load_study(path: Path = PARAMS_FILE, registry: Path | None = None) -> Study:
    """Read and check a study.

    Args:
        path: The study.
        registry: Its registry; None takes the one that belongs to it (`registry_of`).

    Raises:
        StudyError: A file is missing, is not YAML, or a key or value is not allowed; the message
            names the file, each key and what is allowed there.
    """
    raw = read_mapping(path)
    registry = registry or registry_of(path)
    for section in Registry.model_fields:
        if section in raw:
            raise StudyError(
                f"{path}: {section}: entries stand in {registry}; move them there, each under a "
                "slug that no other entry has"
            )
    params = checked(Params, raw, path)
    entries = checked(Registry, read_mapping(registry), registry)
    return checked(Study, {**dict(params), **dict(entries)}, path)


def registry_of(path: Path) -> Path:
    """The registry of a study: the one beside it, or, for those in `studies/`, one folder up.

    `params.yaml` has none but the one beside it, because that is the one that DVC reads.
    """
    beside = path.parent / REGISTRY_FILE
    if path.name == PARAMS_FILE.name or beside.exists():
        return beside
    above = (Path("..") if path.parent == Path() else path.parent.parent) / REGISTRY_FILE
    return above if above.exists() else beside


def checked(kind: type[S], raw: Mapping[str, Any], where: Path | str) -> S:
    """Check values that were read or put together.

    Args:
        kind: What they have to be.
        raw: The values.
        where: Where they stand, for the error.

    Raises:
        StudyError: A key or value is not allowed.
    """
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        problems = "\n".join(f"  {explain_error(kind, one)}" for one in error.errors())
        what = "registry" if kind is Registry else "study"
        raise StudyError(f"{where}: not a valid {what}\n{problems}") from None

"""Every key of a study in words, for a terminal of 80 columns, with the values of this folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from textwrap import fill
from typing import Any

from userturn.base.errors import StudyError
from userturn.study.explaining import Key, describe_keys
from userturn.study.loading import PARAMS_FILE, load_study
from userturn.study.study import Registry

log = logging.getLogger(__name__)

WIDTH = 80
INDENT = " " * 6
SLUG = "<slug>"
Values = Mapping[str, Any]
"""A study as JSON."""
_ABSENT = object()


def values_here() -> Values:
    """Values of this folder's study; none where there is no study, or none that can be read."""
    if not PARAMS_FILE.exists():
        return {}
    try:
        return load_study().model_dump(mode="json")
    except StudyError as error:
        log.warning("%s\nonly defaults are shown", error)
        return {}


def explain(prefix: str = "", values: Values | None = None) -> str:
    """The keys that begin so, by the file they stand in: value, default, unit and what each is.

    Args:
        prefix: Beginning of dotted names. Keys of registry.yaml have values where it names an
            entry, such as `model.smollm2_135m`.
        values: The study whose values are shown.

    Raises:
        StudyError: No key begins so.
    """
    here = values or {}
    keys = list(_of_entry(prefix, here) or _beginning_so(prefix))
    if not keys:
        sections = dict.fromkeys(key.name.split(".")[0] for key in describe_keys())
        raise StudyError(f"no key begins with '{prefix}'; keys begin with: {', '.join(sections)}")
    return "\n".join(_lines(keys, here))


def _beginning_so(prefix: str) -> list[Key]:
    return [key for key in describe_keys() if key.name.startswith(prefix)]


def _of_entry(prefix: str, here: Values) -> list[Key]:
    """Keys of the one entry of the registry that a prefix names; none where it names none.

    Raises:
        StudyError: The registry has no such entry.
    """
    section, _, rest = prefix.partition(".")
    slug, dot, inside = rest.partition(".")
    if section not in Registry.model_fields or not here or not slug or slug == SLUG:
        return []
    if slug not in here[section]:
        known = ", ".join(here[section]) or "none"
        raise StudyError(f"registry.yaml has no {section} '{slug}'; it has: {known}")
    keys: dict[str, Key] = {}
    for key in _beginning_so(f"{section}.{SLUG}{dot}{inside}"):
        named = replace(key, name=key.name.replace(SLUG, slug))
        if _value(named, here) is not _ABSENT:
            keys.setdefault(named.name, named)
    return list(keys.values())


def _value(key: Key, here: Values) -> Any:
    """Value of a key in a study; _ABSENT where there is none, or its section is of another type."""
    value: Any = here
    *path, last = key.name.split(".")
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or last not in value:
        return _ABSENT
    if key.type and value.get("type") != key.type:
        return _ABSENT
    return value[last]


def _lines(keys: list[Key], here: Values) -> Iterator[str]:
    for file, inside in groupby(keys, key=lambda key: key.file):
        yield file
        for key in inside:
            default = key.default if key.default == "required" else f"default {key.default}"
            value = _value(key, here)
            own = "" if value is _ABSENT else f"here {json.dumps(value, ensure_ascii=False)}, "
            unit = f" ({key.unit})" if key.unit else ""
            where = f", type {key.type}" if key.type else ""
            yield _filled(f"{key.name}  {own}{default}{unit}{where}", "  ")
            yield _filled(key.description, INDENT)
        yield ""


def _filled(text: str, indent: str) -> str:
    return fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=INDENT, break_on_hyphens=False
    )

"""Every key of a study in words, for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from textwrap import fill

from userturn.base.errors import StudyError
from userturn.study.explaining import Key, describe_keys

WIDTH = 80
INDENT = " " * 6


def explain(prefix: str = "") -> str:
    """The keys that begin so, by the file they stand in: default, unit and what each is.

    Raises:
        StudyError: No key begins so.
    """
    keys = [key for key in describe_keys() if key.name.startswith(prefix)]
    if not keys:
        sections = dict.fromkeys(key.name.split(".")[0] for key in describe_keys())
        raise StudyError(f"no key begins with '{prefix}'; keys begin with: {', '.join(sections)}")
    return "\n".join(_lines(keys))


def _lines(keys: list[Key]) -> Iterator[str]:
    for file, inside in groupby(keys, key=lambda key: key.file):
        yield file
        for key in inside:
            value = key.default if key.default == "required" else f"default {key.default}"
            unit = f" ({key.unit})" if key.unit else ""
            where = f", type {key.type}" if key.type else ""
            yield _filled(f"{key.name}  {value}{unit}{where}", "  ")
            yield _filled(key.description, INDENT)
        yield ""


def _filled(text: str, indent: str) -> str:
    return fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=INDENT, break_on_hyphens=False
    )

r"""A table as a CSV file: columns with their kinds, one writer, one reader.

Floats have six significant digits, None is an empty cell, and the same rows give the same bytes.

A cell of TEXT was written by a model or came with a dataset, so it can be made to harm whoever
opens the file:

- A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula. Such a cell gets
  an apostrophe in front, which the reader takes off again: `=1+1` is written `'=1+1`.
- Escape characters redraw a terminal, and direction marks make a text read as what it is not. All
  control characters but newline and tab, and all direction marks, are spelled out: `\u202e`. The
  reader leaves them so; the Parquet artifacts have the text as it is.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from pathlib import Path
from typing import Any

from userturn.base import files
from userturn.base.errors import ArtifactError

Row = dict[str, Any]

DIGITS = 6
"""Significant digits of a float."""

FORMULA = re.compile("'*[=+\\-@\t＝＋－＠]")  # noqa: RUF001 - full-width signs count as signs
"""Beginnings that a spreadsheet takes for a formula, behind any apostrophes (OWASP's list)."""

UNSEEN = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters but newline and tab, and direction marks."""


class Kind(Enum):
    """What a column holds."""

    NAME = auto()
    """A word of the study or of this code: a slug, a label, a method."""
    TEXT = auto()
    """What a model wrote, or what came with a dataset."""
    COUNT = auto()
    NUMBER = auto()
    FLAG = auto()


Columns = Mapping[str, Kind]
"""Columns of a table in their order."""


def of(kind: Kind, names: str) -> dict[str, Kind]:
    """Columns of one kind.

    >>> of(Kind.COUNT, "prompts samples")
    {'prompts': <Kind.COUNT: 3>, 'samples': <Kind.COUNT: 3>}

    Args:
        kind: Their kind.
        names: Their names, separated by spaces.
    """
    return dict.fromkeys(names.split(), kind)


def write(path: Path, columns: Columns, rows: Iterable[Row]) -> None:
    """Write rows in their order, atomically.

    Raises:
        ArtifactError: The file cannot be written.
        ValueError: A row has other columns.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        if row.keys() != columns.keys():
            odd = ", ".join(sorted(row.keys() ^ columns.keys()))
            raise ValueError(f"{path}: a row does not fit the columns: {odd}")
        writer.writerow({name: _cell(kind, row[name]) for name, kind in columns.items()})
    files.write_text(path, text.getvalue())


def read(path: Path, columns: Columns, stage: str) -> list[Row]:
    """Rows of a file that `write` wrote: numbers parsed, None where a number's cell is empty.

    Args:
        path: The file.
        columns: What it was written with.
        stage: Stage that makes it, for the error.

    Raises:
        ArtifactError: The file is missing, unreadable or has other columns.
    """
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            reader = csv.reader(handle)
            header = next(reader, [])
            if header != list(columns):
                raise ArtifactError(
                    f"{path}: has other columns than this version; run `dvc repro {stage}`"
                )
            kinds = list(columns.items())
            return [
                {name: _value(kind, cell) for (name, kind), cell in zip(kinds, row, strict=True)}
                for row in reader
            ]
    except (OSError, ValueError, csv.Error) as error:
        raise ArtifactError(f"{path}: cannot be read ({error}); run `dvc repro {stage}`") from None


def number(value: float) -> str:
    """A float as it stands in a cell; -0.0 is 0.

    >>> number(2 / 3)
    '0.666667'
    """
    return f"{value + 0.0:.{DIGITS}g}"


def rounded(value: Any) -> Any:
    """A JSON value with floats as they stand in tables."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return float(number(value)) if isinstance(value, float) else value


def harmless(text: str) -> str:
    r"""A text as it stands in a cell.

    >>> harmless("=1+1"), harmless("a\u202eb")
    ("'=1+1", 'a\\u202eb')
    """
    spelled = UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return f"'{spelled}" if FORMULA.match(spelled) else spelled


def _cell(kind: Kind, value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return number(value)
    return harmless(value) if kind is Kind.TEXT and value is not None else value


def _value(kind: Kind, cell: str) -> Any:
    match kind:
        case Kind.NAME:
            return cell
        case Kind.TEXT:
            return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell
        case Kind.FLAG:
            return cell == "true"
        case Kind.COUNT:
            return int(cell) if cell else None
        case Kind.NUMBER:
            return float(cell) if cell else None

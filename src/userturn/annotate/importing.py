"""Labels that people gave elsewhere, taken from a CSV or JSONL file into their files here.

A row means a turn by `item` and whatever else it takes for that to be one turn: `model`, `dataset`,
`condition`, `temperature`, `sample`. Everything is checked before anything is written.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from userturn.annotate.file import held
from userturn.artifacts.csv_file import harmless
from userturn.artifacts.labels import Label
from userturn.base.errors import UserturnError
from userturn.base.files import write_bytes
from userturn.judges.human import labels as human
from userturn.study.study import Study

KEY = ("model", "dataset", "item", "condition", "temperature", "sample")

Turns = Mapping[str, list[tuple[human.Text, str]]]
"""By item: every turn of it, and what it says."""


class Row(BaseModel):
    """One row of a file, empty cells left out; columns that it does not name are passed over."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    item: str
    label: Label | Literal["skip"] | None = None  # None: nobody has read it yet
    model: str | None = None
    dataset: str | None = None
    condition: str | None = None
    temperature: float | None = None
    sample: int | None = None
    annotator: str | None = None
    turn: str | None = None
    sha256: str | None = None
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    time: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one annotator's labels.

    Attributes:
        path: The annotator's file.
        new: Labels added to it; the last one on a turn is in force.
        same: Labels that were in force already.
    """

    path: Path
    new: int
    same: int


def take(study: Study, path: Path, annotator: str | None = None) -> list[Taken]:
    """Add the labels of a file to `data/human/`, one file per annotator.

    Args:
        study: The study whose turns were labelled.
        path: CSV with a header, or JSONL; UTF-8.
        annotator: Whose labels they are where a row does not say.

    Raises:
        UserturnError: The file, or a row of it, cannot be taken; names the line. Nothing is
            written then. Or an annotator is at work.
        ArtifactError: An artifact, or a file of labels, is missing or corrupt.
    """
    by_annotator = _labels(study, path, annotator)
    with ExitStack() as stack:
        for name in by_annotator:
            stack.enter_context(held(name))
        return [_add(name, labels) for name, labels in by_annotator.items()]


def _labels(
    study: Study, path: Path, annotator: str | None
) -> dict[str, dict[human.Text, human.Annotation]]:
    """Labels by annotator and turn, in the order of the file."""
    turns = _turns(study)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    given: dict[str, dict[human.Text, human.Annotation]] = defaultdict(dict)
    for line, cells in read(path):
        try:
            row = Row.model_validate(cells)
            if row.label is None:
                continue
            name = row.annotator or annotator
            if name is None:
                raise UserturnError("says no `annotator`; add the column, or give --annotator")
            human.file_of(name)
            text = turn_of(row, turns)
            label = human.Annotation(
                **text.model_dump(), label=row.label, seconds=row.seconds, time=row.time or now
            )
            if text in given[name] and given[name][text].label != row.label:
                raise UserturnError(f"gives another label to a turn that '{name}' labelled above")
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(part) for part in problem["loc"][:1])
            raise UserturnError(_at(path, line, f"{where}: {problem['msg']}")) from None
        except UserturnError as error:
            raise UserturnError(_at(path, line, str(error))) from None
        given[name][text] = label
    if not any(given.values()):
        raise UserturnError(f"{path}: holds no label; fill in its column `label`")
    return given


def _at(path: Path, line: int, problem: str) -> str:
    return f"{path}, line {line}: {problem}; no label of the file was taken"


def read(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a file with the number of the line on which each ends, empty cells left out.

    Raises:
        UserturnError: The file cannot be read, or is neither CSV nor JSONL.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix == ".csv":
                reader = csv.DictReader(file, strict=True)
                for cells in reader:
                    if None in cells:
                        problem = "has more cells than the header"
                        raise UserturnError(_at(path, reader.line_num, problem))
                    yield reader.line_num, {name: cell for name, cell in cells.items() if cell}
            elif path.suffix == ".jsonl":
                for number, line in enumerate(file, 1):
                    if line.strip():
                        yield number, _object(path, number, line)
            else:
                raise UserturnError(f"{path}: name a file that ends in .csv or .jsonl")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserturnError(f"{path}: cannot be read ({error}); save it as UTF-8") from None


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        cells = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserturnError(_at(path, number, f"is no JSON ({error})")) from None
    if not isinstance(cells, dict):
        raise UserturnError(_at(path, number, "is no JSON object"))
    return {name: cell for name, cell in cells.items() if cell is not None and cell != ""}


def _turns(study: Study) -> Turns:
    by_item: dict[str, list[tuple[human.Text, str]]] = defaultdict(list)
    for slug in study.models.probe:
        for text, turn in human.shown(study, slug).items():
            by_item[text.item].append((text, turn["text"]))
    return by_item


def turn_of(row: Row, turns: Turns) -> human.Text:
    """The one turn that a row means.

    Raises:
        UserturnError: There is none, there are several, or it says something else by now.
    """
    wanted = {name: value for name in KEY if (value := getattr(row, name)) is not None}
    fitting = [
        (text, said)
        for text, said in turns.get(row.item, [])
        if all(getattr(text, name) == value for name, value in wanted.items())
    ]
    spelled = ", ".join(f"{name} {value}" for name, value in wanted.items())
    if not fitting:
        raise UserturnError(f"the study has no turn of {spelled}")
    if len(fitting) > 1:
        differing = [name for name in KEY if len({getattr(text, name) for text, _ in fitting}) > 1]
        raise UserturnError(
            f"{spelled} means {len(fitting)} turns; say {', '.join(differing)} as well"
        )
    text, said = fitting[0]
    if row.sha256 not in (None, text.sha256) or row.turn not in (None, said, harmless(said)):
        raise UserturnError(f"the turn of {spelled} has another text than the one that was read")
    return text


def _add(name: str, labels: Mapping[human.Text, human.Annotation]) -> Taken:
    """Append those labels that are not in force yet; the file is replaced whole."""
    path = human.file_of(name)
    in_force = human.in_force(human.read_lines(path, human.Annotation))
    new = [line for text, line in labels.items() if in_force.get(text) != line.label]
    if new:
        added = "".join(f"{line.model_dump_json()}\n" for line in new)
        write_bytes(path, path.read_bytes() + added.encode())
    return Taken(path, len(new), len(labels) - len(new))

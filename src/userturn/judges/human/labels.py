"""Human labels: one append-only file per annotator in `data/human/`, kept by git.

A label belongs to a text, not only to a turn's key: it carries the hash of query, answer and turn,
and of what was said before the query where there was something, so that it never applies to a turn
that was generated anew with another text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from userturn.artifacts.labels import Label
from userturn.artifacts.schemas import TURN_KEY
from userturn.artifacts.turns import read_turns
from userturn.base import paths
from userturn.base.errors import ArtifactError, UserturnError

if TYPE_CHECKING:
    from userturn.study.study import Study

FOLDER = paths.DATA / "human"
SAMPLE = "sample"  # data/human/sample.jsonl, see sample.py; no annotator has this name
SKIP: Literal["skip"] = "skip"

TurnId = tuple[str, str, str, str, float, int]
"""Model, then TURN_KEY."""

Line = TypeVar("Line", bound=BaseModel)


class Text(BaseModel):
    """One turn and the hash of its text: what a line about a turn holds at least."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    dataset: str
    item: str
    condition: str
    temperature: float
    sample: int
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

    @property
    def turn_id(self) -> TurnId:
        """Which turn it is of."""
        return (
            self.model, self.dataset, self.item, self.condition, self.temperature, self.sample,
        )  # fmt: skip


class Annotation(Text):
    """One line of an annotator's file."""

    label: Label | Literal["skip"] | None  # None takes the annotator's last line on this text back
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]  # from seeing the turn to the key
    time: str  # UTC, ISO 8601


def shown(study: Study, model: str) -> dict[Text, dict[str, Any]]:
    """Generated user turns of one model as they stand now, rows of `turns.read_turns`.

    Raises:
        ArtifactError: An artifact is missing, corrupt, or from another study.
    """
    return {
        Text(
            model=model,
            **{name: turn[name] for name in TURN_KEY},
            sha256=digest(turn["query"], turn["shown"], turn["text"], turn["earlier"] or ()),
        ): turn
        for turn in read_turns(study, model)
        if turn["skipped"] is None
    }


def digest(query: str, answer: str, turn: str, earlier: Sequence[Mapping[str, str]] = ()) -> str:
    """SHA-256 over the texts that an annotator sees."""
    before = [[[one["role"], one["content"]] for one in earlier]] if earlier else []
    return hashlib.sha256(json.dumps([*before, query, answer, turn]).encode()).hexdigest()


def file_of(annotator: str) -> Path:
    """An annotator's file.

    Raises:
        UserturnError: The name cannot name a file of labels.
    """
    if not re.fullmatch("[a-z0-9_]{1,64}", annotator) or annotator == SAMPLE:
        raise UserturnError(
            f"annotator '{annotator}': a name is made of a-z, 0-9 and _, at most 64 of them, "
            f"and is not '{SAMPLE}'"
        )
    return FOLDER / f"{annotator}.jsonl"


def read_all() -> dict[str, dict[Text, Label]]:
    """Labels in force of every annotator who gave one.

    Raises:
        ArtifactError: A line cannot be read.
    """
    people = {}
    for path in sorted(FOLDER.glob("*.jsonl")):
        given = in_force(read_lines(path, Annotation)) if path.stem != SAMPLE else {}
        labels = {text: Label(label) for text, label in given.items() if label != SKIP}
        if labels:
            people[path.stem] = labels
    return people


def in_force(lines: Iterable[Annotation]) -> dict[Text, Label | Literal["skip"]]:
    """Last label or skip of each text that was not taken back, in the order they were given."""
    given: dict[Text, Label | Literal["skip"]] = {}
    for line in lines:
        text = Text(**line.model_dump(include=set(Text.model_fields)))
        given.pop(text, None)
        if line.label is not None:
            given[text] = line.label
    return given


def read_lines(path: Path, kind: type[Line]) -> list[Line]:
    """Lines of a JSONL file; a file that does not exist has none.

    Raises:
        ArtifactError: A line is not of this kind, or the last one was not written to its end.
    """
    if not path.exists():
        return []
    lines = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if not line:
            continue
        try:
            lines.append(kind.model_validate_json(line))
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(part) for part in problem["loc"])
            raise ArtifactError(
                f"{path}, line {number}: cannot be read ({where}: {problem['msg']}); mend or "
                f"remove that line, `git log -p {path}` has the lines that were committed"
            ) from None
    return lines

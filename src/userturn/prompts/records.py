"""What the readers of all dataset kinds share: records of a file, and the prompt made of one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from userturn.artifacts import messages
from userturn.artifacts.messages import Message, Role
from userturn.base.errors import PromptError

_ROLES: dict[str, Role] = {
    "user": "user",
    "assistant": "assistant",
    "agent": "assistant",
    "system": "system",
    "developer": "system",
}
"""How datasets call who speaks."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One dataset item: a conversation that ends in a user turn.

    Attributes:
        item: Id that is stable inside the dataset.
        text: The user turn that is to be answered, mostly the first one; may be empty, which later
            stages skip and count.
        verifier: Module of `verifiers`; None where there is no published verifier.
        target: JSON that the verifier reads; None without a verifier.
        reference_answer: An answer to it that ships with the dataset.
        earlier: What stands in front of `text`: at most one system message, then whole exchanges.
        next_turn: What the user really said next, behind `reference_answer`.
    """

    item: str
    text: str
    verifier: str | None = None
    target: str | None = None
    reference_answer: str | None = None
    earlier: tuple[Message, ...] = ()
    next_turn: str | None = None

    def columns(self, dataset: str) -> dict[str, Any]:
        """Columns of kind `prompts`, without its place in the order."""
        named = {one.name: getattr(self, one.name) for one in fields(self)}
        return {"dataset": dataset, **named, "earlier": messages.write(self.earlier)}


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a dataset, with where it stands for error messages."""

    origin: str
    index: int
    values: Mapping[str, Any]

    def get(self, key: str) -> Any:
        """Value of a key. Raises PromptError where it is missing."""
        if key not in self.values:
            keys = ", ".join(self.values) or "none"
            raise PromptError(f"{self.origin}: has no key '{key}' (keys found: {keys})")
        return self.values[key]

    def text(self, key: str) -> str:
        """Text under a key. Raises PromptError where it is missing or no text."""
        return self.as_text(self.get(key), key)

    def as_text(self, value: Any, key: str) -> str:
        """A value that must be text which UTF-8, and so every artifact, can hold."""
        if not isinstance(value, str):
            raise PromptError(f"{self.origin}: '{key}' must be text, not {type(value).__name__}")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise PromptError(f"{self.origin}: '{key}' is not valid Unicode ({error})") from None
        return value

    def optional_text(self, key: str) -> str | None:
        """Text under a key, or None where the key is missing or null."""
        value = self.values.get(key)
        return None if value is None else self.as_text(value, key)

    def items(self, key: str) -> list[Any]:
        """List under a key. Raises PromptError where it is missing or no list."""
        value = self.get(key)
        if not isinstance(value, list):
            raise PromptError(f"{self.origin}: '{key}' must be a list, not {type(value).__name__}")
        return value


def read_rows(path: Path) -> Iterator[Row]:
    """Records of a JSONL or Parquet file, in its order.

    JSONL is read line by line rather than with `datasets`, which would give every record the keys
    of all records (IFEval's `kwargs`) and cannot name the line of an error.

    Raises:
        PromptError: The file is no such file, or a line is no JSON object.
    """
    if path.suffix == ".parquet":
        yield from _parquet_rows(path)
        return
    try:
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise PromptError(f"{path}: cannot be read as JSONL ({error.strerror})") from None
    index = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        origin = f"{path}, line {number}"
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise PromptError(f"{origin}: is not valid JSON ({error}); correct the line") from None
        if not isinstance(values, dict):
            raise PromptError(f"{origin}: must be a JSON object, not {type(values).__name__}")
        yield Row(origin, index, values)
        index += 1


def _parquet_rows(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise PromptError(f"{path}: cannot be read as Parquet ({error})") from None
    for index, values in enumerate(rows):
        yield Row(f"{path}, row {index + 1}", index, values)


def as_target(value: Any) -> str:
    """Canonical JSON of what a verifier needs."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def conversation(
    row: Row, said: Sequence[Any], key: str, role: str = "role", content: str = "content"
) -> tuple[tuple[Message, ...], str] | None:
    """A conversation that ends in a user turn: what stands in front of that turn, and its text.

    A developer message is a system message: few chat templates know the former.

    Args:
        row: The record.
        said: Its messages, in order.
        key: Where the record has them, for messages of errors.
        role: Key of a message's role.
        content: Key of its text.

    Returns:
        None where it is no conversation as DESIGN has them: at most one system message, then turns
        of user and assistant by turns, a user turn first and last.

    Raises:
        PromptError: A message has not these keys, or holds no text.
    """
    texts: list[tuple[str, str]] = []
    for one in said:
        if not isinstance(one, Mapping) or not {role, content} <= one.keys():
            raise PromptError(f"{row.origin}: '{key}' must hold messages with {role} and {content}")
        speaker = _ROLES.get(str(one[role]), str(one[role]))
        texts.append((speaker, row.as_text(one[content], f"{key}.{content}")))
    system = [text for speaker, text in texts[:1] if speaker == "system"]
    turns = texts[len(system) :]
    alternate = ["assistant" if at % 2 else "user" for at in range(len(turns))]
    if len(turns) % 2 == 0 or [speaker for speaker, _ in turns] != alternate:
        return None
    earlier = [Message("system", text) for text in system]
    earlier += [Message("assistant" if at % 2 else "user", text)
                for at, (_, text) in enumerate(turns[:-1])]  # fmt: skip
    return tuple(earlier), turns[-1][1]


def continued(
    row: Row, said: Sequence[Any], key: str, role: str = "role", content: str = "content"
) -> tuple[tuple[Message, ...], str, str, str] | None:
    """A conversation up to its last user turn that another one follows, and what follows.

    Takes what `conversation` takes.

    Returns:
        What stands in front of that turn, its text, the answer that it got, and the real next user
        turn; None where no answer is followed by a user turn, or it is no conversation.

    Raises:
        PromptError: As `conversation`.
    """
    ends = [
        at
        for at, one in enumerate(said)
        if isinstance(one, Mapping) and _ROLES.get(str(one.get(role))) == "user"
    ]
    whole = conversation(row, said[: ends[-1] + 1], key, role, content) if ends else None
    if whole is None or len(whole[0]) < 2:
        return None
    *earlier, query, answer = whole[0]
    return tuple(earlier), query.content, answer.content, whole[1]

"""What the readers of all dataset kinds share: records of a file, and the prompt made of one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from userturn.base.errors import PromptError


@dataclass(frozen=True, slots=True)
class Prompt:
    """One dataset item.

    Attributes:
        item: Id that is stable inside the dataset.
        text: What the user asks first; may be empty, which later stages skip and count.
        verifier: Module of `verifiers`; None where there is no published verifier.
        target: JSON that the verifier reads; None without a verifier.
        reference_answer: An answer that ships with the dataset.
    """

    item: str
    text: str
    verifier: str | None = None
    target: str | None = None
    reference_answer: str | None = None


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


def single_user_message(row: Row, messages: list[Any], key: str) -> str | None:
    """Text of a conversation that is one user message; None where there are more turns.

    System and developer messages are not shown: the probe's context is user, assistant, user.
    """
    texts = []
    for message in messages:
        if not isinstance(message, Mapping) or not {"role", "content"} <= message.keys():
            raise PromptError(f"{row.origin}: '{key}' must hold messages with role and content")
        if message["role"] not in ("system", "developer"):
            texts.append((message["role"], message["content"]))
    if [role for role, _ in texts] != ["user"]:
        return None
    return row.as_text(texts[0][1], f"{key}.content")

"""Kinds of dataset, one module each: how a record becomes a prompt. A module defines KIND."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from userturn.base import registry
from userturn.prompts.records import Prompt, Row


@dataclass(frozen=True, slots=True)
class Kind:
    """How datasets of one kind are read.

    Attributes:
        read: From a record to its prompt; None leaves out a record that makes none.
        generate: Where records are generated and not read from a file: makes them, by a seed.
        lacks: What a record is that is left out, in words that fit behind "items are".
    """

    read: Callable[[Row], Prompt | None]
    generate: Callable[[int], Iterator[Row]] | None = None
    lacks: str = "no conversations that end in a user turn"


def named(name: str) -> Kind:
    """The kind that a dataset names. Raises KeyError where there is none."""
    kind: Kind = registry.load("prompts.kinds", name, "KIND")
    return kind

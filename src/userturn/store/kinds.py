"""The kinds of things that are kept, each with its table and how a thing becomes a row."""

from __future__ import annotations

import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from userturn.engines.requests import Completion

V = TypeVar("V")

EARLIER_TABLE = "completions"
"""Before there were kinds, everything stood in it, without digests; replies as the tokens of a
completion."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[V]):
    """One kind of thing.

    Attributes:
        table: Name of its table, the plural of what it holds.
        columns: Its columns beside `id` and `digest`, with their SQL types.
        cells: Those columns of a thing.
        read: The thing that such cells hold.
        tokens: How many tokens a thing is worth, for the progress bar.
        earlier: Its columns in EARLIER_TABLE; None where what stood there is of no use.
    """

    table: str
    columns: dict[str, str]
    cells: Callable[[V], tuple[Any, ...]]
    read: Callable[..., V]
    tokens: Callable[[V], int]
    earlier: str | None = None


def _pack(code: str, numbers: tuple[Any, ...]) -> bytes:
    return array.array(code, numbers).tobytes()


def _unpack(code: str, blob: bytes) -> list[Any]:
    numbers = array.array(code)
    numbers.frombytes(blob)
    return numbers.tolist()


COMPLETIONS: Kind[Completion] = Kind(
    "completions",
    {"tokens": "BLOB NOT NULL", "ended": "TEXT NOT NULL", "stop_id": "INTEGER"},
    lambda done: (_pack("i", done.token_ids), done.end, done.stop_id),
    lambda blob, end, stop_id: Completion(tuple(_unpack("i", blob)), end, stop_id),
    lambda done: len(done.token_ids),
    earlier="tokens, ended, stop_id",
)
LIKELIHOODS: Kind[list[float]] = Kind(
    "likelihoods",
    {"logs": "BLOB NOT NULL"},  # float64, nats, one per token of the target
    lambda logs: (_pack("d", tuple(logs)),),
    lambda blob: _unpack("d", blob),
    len,
)
REPLIES: Kind[str] = Kind(
    "replies",
    {"text": "BLOB NOT NULL"},  # UTF-8
    lambda text: (text.encode(),),
    lambda blob: blob.decode(),
    lambda _: 0,
    earlier="tokens",
)

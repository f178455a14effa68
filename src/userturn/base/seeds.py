"""Seeded orders and numbers: the same on every machine, whatever else there is.

A place, a draw or a seed depends on the key it is asked for and on nothing else, so adding prompts,
conditions or samples moves none of those that were there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)


def rank(*key: Any) -> bytes:
    """Place of a key in a seeded order: sort by it. 32 bytes, hashed from the key's JSON.

    >>> sorted(["a", "b", "c"], key=lambda item: rank(0, "gsm8k", item))
    ['c', 'a', 'b']
    """
    return hashlib.sha256(json.dumps(key).encode()).digest()


def draw(*key: Any) -> int:
    """A number in [0, 2**64) that a key stands for, to pick from a list with `%`."""
    return int.from_bytes(rank(*key)[:8], "big")


def derive_seed(
    study_seed: int, dataset: str, item: str, condition: str, temperature: float, sample: int
) -> int:
    """Seed of one row, from what the row is and never from which other rows were asked for.

    A seed shared by all rows would correlate the samples of unrelated prompts. Greedy rows get 0:
    their completion does not depend on a seed, so neither may their request id.

    Returns:
        An integer in [0, 2**32), the range that every engine accepts.
    """
    if temperature == 0:
        return 0
    key = (study_seed, dataset, item, condition, float(temperature), sample)
    return int.from_bytes(rank(*key)[:4], "big")


class Ring(Generic[K]):
    """Keys in a circle: each is followed by all others, and follows each of them equally often.

    Args:
        keys: The keys.
        order: Gives the place of a key, such as `rank` of it.
    """

    def __init__(self, keys: Iterable[K], order: Callable[[K], Any]) -> None:
        self._order = sorted(keys, key=order)
        self._place = {key: place for place, key in enumerate(self._order)}

    def others(self, key: K) -> Iterator[K]:
        """The keys behind a key, once around; all of them for a key that is not in the circle."""
        place = self._place.get(key, -1)
        yield from self._order[place + 1 :]
        yield from self._order[: max(place, 0)]

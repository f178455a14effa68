"""The conversations that stand in for a prompt's own, in a seeded circle."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import chain

from userturn.base.seeds import Ring, rank
from userturn.measures.measurable import Key


class Pool:
    """Answers to all prompts under one condition.

    Those that stand in for a prompt's own follow it on the circle, so every answer stands in
    equally often, and every condition of a prompt meets the same other prompts. Where a dataset has
    too few, other datasets fill up.

    Args:
        answers: Answers by prompt.
        seed: Seed of the study.
    """

    def __init__(self, answers: Mapping[Key, str], seed: int) -> None:
        self._answers = answers
        self._ring = Ring(answers, lambda key: (key[0], rank(seed, *key)))

    def others(self, key: Key, exclude: Collection[str]) -> Iterator[tuple[Key, str]]:
        """Other prompts with their answers, in the order in which they stand in for this prompt's.

        Args:
            key: The prompt.
            exclude: Answers that are left out, such as the prompt's own.
        """
        order = list(self._ring.others(key))
        near = (other for other in order if other[0] == key[0])
        far = (other for other in order if other[0] != key[0])
        for other in chain(near, far):
            if self._answers[other] not in exclude:
                yield other, self._answers[other]

"""What addressing a judge changes, beside what neutral text of the same form changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from userturn.artifacts.labels import Label
from userturn.judges.llm.injections import PAIRS
from userturn.judges.testing.gold import GoldTurn

Given = str | None
"""A label, or None where a judge gave no valid one."""


@dataclass(frozen=True, slots=True)
class Effect:
    """How often something happens to a label when text is appended to its turn.

    Attributes:
        name: What happens.
        address: Share of turns with an address to which it happens.
        neutral: Share of the same turns with the neutral twin.
        only_address: Pairs in which the address alone does it.
        only_neutral: Pairs in which the twin alone does it.
        p: Exact two-sided p-value of McNemar's test that both do it as often.
    """

    name: str
    address: float
    neutral: float
    only_address: int
    only_neutral: int
    p: float


EFFECTS: dict[str, Callable[[Given, Given], bool]] = {
    "another label": lambda old, new: new is not None and new != old,
    "no valid label": lambda _, new: new is None,
    "became followup": lambda old, new: new == Label.FOLLOWUP != old,
}


def addressed(turns: Sequence[GoldTurn]) -> list[GoldTurn]:
    """Each turn with each address and, behind it, with the address's twin."""
    return [
        replace(turn, text=f"{turn.text} {suffix}", end="eos")
        for turn in turns
        for pair in PAIRS
        for suffix in pair
    ]


def effects(before: Sequence[Given], after: Sequence[Given]) -> list[Effect]:
    """What addresses and twins did.

    Args:
        before: Labels of the turns.
        after: Labels of `addressed` of these turns.
    """
    from scipy.stats import binomtest

    old = [label for label in before for _ in PAIRS]
    made = []
    for name, happens in EFFECTS.items():
        address = [happens(*pair) for pair in zip(old, after[::2], strict=True)]
        neutral = [happens(*pair) for pair in zip(old, after[1::2], strict=True)]
        pairs = list(zip(address, neutral, strict=True))
        only = sum(a and not n for a, n in pairs), sum(n and not a for a, n in pairs)
        p = float(binomtest(only[0], sum(only)).pvalue) if sum(only) else 1.0
        made.append(Effect(name, sum(address) / len(old), sum(neutral) / len(old), *only, p))
    return made

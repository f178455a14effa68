"""Which user turns a study wants: the one grid that is generated, counted and verified. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from userturn.artifacts.schemas import BASE, BEHIND
from userturn.study.study import Study

Place = tuple[str, str]
"""Dataset and item: a prompt, and its answer."""
Kind = Literal["user_turns", "controls", "cross"]


class TurnKey(NamedTuple):
    """Which user turn (schemas.TURN_KEY)."""

    dataset: str
    item: str
    condition: str
    temperature: float
    sample: int


def turn_keys(study: Study, kind: Kind, places: Iterable[Place], writer: str = "") -> list[TurnKey]:
    """Every user turn behind the answers to some prompts; greedy has one sample.

    Args:
        study: The study.
        kind: `user_turns` behind the answers themselves, `controls` behind perturbed ones, or
            `cross` behind those of other sources.
        places: The prompts.
        writer: The model whose turns they are; behind its own answers none are of kind `cross`.
    """
    if kind == "controls":  # depends on nothing that is said of the unperturbed turns
        conditions, temperatures = study.perturb.conditions, study.perturb.temperatures
    else:
        others = [BEHIND + source for source in study.generate.other_sources if source != writer]
        conditions = others if kind == "cross" else [BASE]
        temperatures = study.generate.user_turn.temperatures
    samples = study.generate.user_turn.samples
    return [
        TurnKey(*place, condition, temperature, sample)
        for place in places
        for condition in conditions
        for temperature in temperatures
        for sample in range(1 if temperature == 0 else samples)
    ]


def turns_per_prompt(study: Study, kind: Kind) -> int:
    """How many user turns that is behind one answer."""
    return len(turn_keys(study, kind, [("", "")]))

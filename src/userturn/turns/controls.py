"""The answers that the controls show: those of `generate` under each perturbation of the study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from userturn import perturbations
from userturn.artifacts.schemas import SWAP
from userturn.base.seeds import Ring, draw
from userturn.turns.grid import Place, TurnKey
from userturn.turns.planner import Draft, Planner, Row, Shown

NO_OTHER_PROMPT = "no other prompt has an answer to swap with"


def control_turns(
    planner: Planner, items: Iterable[Mapping[str, Any]], answers: Iterable[Mapping[str, Any]]
) -> list[Draft[TurnKey]]:
    """What is asked for user turns behind perturbations of rows of kind `answers`."""
    return planner.turns("controls", items, perturbed(planner, answers))


def perturbed(
    planner: Planner, answers: Iterable[Mapping[str, Any]]
) -> dict[tuple[str, str, str], Shown]:
    """The answer that each condition shows, by (dataset, item, condition)."""
    rows, study, chat = list(answers), planner.study, planner.chat
    others = swaps(rows, study.seed)
    shown: dict[tuple[str, str, str], Shown] = {}
    for row in rows:
        place = (row["dataset"], row["item"])
        for condition in study.perturb.conditions:
            if row["text"] is None:
                shown[*place, condition] = Shown.of(row)
                continue
            other = others.get(place)
            material = perturbations.Material(
                chat.encode_content,
                chat.decode,
                draw(study.seed, *place, condition),
                other["text"] if other else None,
            )
            text = perturbations.named(condition).apply(row["text"], material)
            # Another prompt's answer brings its own reasoning.
            whose = other if other and condition == SWAP else row
            shown[*place, condition] = replace(
                Shown.of(whose),
                text=text,
                skipped=NO_OTHER_PROMPT if text is None else None,
                perturbed=text != whose["text"],
            )
    return shown


def swaps(answers: Sequence[Row], seed: int) -> dict[Place, Row]:
    """Another prompt's answer for every prompt, of the same dataset where it has two.

    The answered prompts of a dataset form a ring in a seeded order and each takes its neighbour's
    answer, so every answer is used once and none comes back to its own prompt.
    """
    given: dict[Place, Row] = {
        (row["dataset"], row["item"]): row for row in answers if row["text"] is not None
    }
    neighbours: dict[Place, Row] = {}
    for dataset in {dataset for dataset, _ in given}:
        mates = [place for place in given if place[0] == dataset]
        ring = Ring(mates if len(mates) > 1 else given, lambda place: draw(seed, *place, "ring"))
        for place in mates:
            if other := next(ring.others(place), None):
                neighbours[place] = given[other]
    return neighbours

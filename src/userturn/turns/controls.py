"""The answers that the controls show: those of `generate` under each perturbation of the study."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from userturn import perturbations
from userturn.study.study import Study
from userturn.turns.plan import Shown

NO_OTHER_PROMPT = "no other prompt has an answer to swap with"


def perturbed(
    study: Study,
    answers: Iterable[Mapping[str, Any]],
    encode: Callable[[str], Sequence[int]],
    decode: Callable[[Sequence[int]], str],
) -> dict[tuple[str, str, str], Shown]:
    """The answer that each condition shows, by (dataset, item, condition)."""
    rows = list(answers)
    others = swaps(rows, study.seed)
    shown: dict[tuple[str, str, str], Shown] = {}
    for row in rows:
        place = (row["dataset"], row["item"])
        for condition in study.perturb.conditions:
            if row["text"] is None:
                shown[*place, condition] = Shown(None, row["skipped"])
                continue
            draw = _draw(study.seed, *place, condition)
            material = perturbations.Material(encode, decode, draw, others.get(place))
            text = perturbations.PERTURBATIONS[condition].apply(row["text"], material)
            shown[*place, condition] = Shown(text, NO_OTHER_PROMPT if text is None else None)
    return shown


def swaps(answers: Sequence[Mapping[str, Any]], seed: int) -> dict[tuple[str, str], str]:
    """Another prompt's answer for every prompt, of the same dataset where it has two.

    The answered prompts of a dataset form a ring in a seeded order and each takes its neighbour's
    answer, so every answer is used once and none comes back to its own prompt.
    """
    answered = [row for row in answers if row["text"] is not None]
    rings: dict[str, list[Mapping[str, Any]]] = {}
    for row in answered:
        rings.setdefault(row["dataset"], []).append(row)
    found: dict[tuple[str, str], str] = {}
    for dataset, rows in rings.items():
        ring = rows if len(rows) > 1 else [*rows, *(r for r in answered if r["dataset"] != dataset)]
        ordered = sorted(ring, key=lambda row: _draw(seed, row["dataset"], row["item"], "ring"))
        for row, other in zip(ordered, [*ordered[1:], *ordered[:1]], strict=True):
            if row["dataset"] == dataset and row is not other:
                found[row["dataset"], row["item"]] = other["text"]
    return found


def _draw(*key: Any) -> int:
    return int.from_bytes(hashlib.sha256(json.dumps(key).encode()).digest()[:8], "big")

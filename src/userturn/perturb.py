"""Stage `perturb`: user turns behind controlled perturbations of the answer.

Each perturbation is a pure function from answer to answer, registered with the direction in which
the genuine follow-up rate should move (PAPER: truncate and ask are reported, swap and close ours).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from userturn import artifacts, generate, paths, prompts, weights
from userturn.complete import Completer
from userturn.generate import Shown, Turn
from userturn.params import Study

QUESTIONS = (
    "Does that make sense?",
    "Would you like me to explain any part in more detail?",
    "What would you like to know next?",
    "Is there anything you would change?",
    "Shall I go on?",
)
CLOSINGS = (
    "I am glad I could help. Goodbye!",
    "That is everything you need to know. Have a nice day!",
    "This answers your question in full.",
    "There is nothing more to add.",
    "All done. Take care!",
)
NO_OTHER_PROMPT = "no other prompt has an answer to swap with"


@dataclass(frozen=True, slots=True)
class Material:
    """What a perturbation may use beside the answer.

    Attributes:
        encode: Text to token ids, control tokens never among them.
        decode: Token ids to text.
        draw: Seeded number that picks from a list.
        other: Answer of another prompt; None where no other prompt has one.
    """

    encode: Callable[[str], Sequence[int]]
    decode: Callable[[Sequence[int]], str]
    draw: int
    other: str | None


def truncate(answer: str, material: Material) -> str:
    """First half of the answer's tokens, cut at a token (never inside a character)."""
    ids = material.encode(answer)
    return material.decode(ids[: len(ids) // 2]).rstrip("\N{REPLACEMENT CHARACTER}")


def ask(answer: str, material: Material) -> str:
    """The answer with a generic question behind it."""
    return _append(answer, QUESTIONS[material.draw % len(QUESTIONS)])


def swap(answer: str, material: Material) -> str | None:  # noqa: ARG001 - replaced as a whole
    """The answer of another prompt; None where there is none."""
    return material.other


def close(answer: str, material: Material) -> str:
    """The answer with a closing line behind it."""
    return _append(answer, CLOSINGS[material.draw % len(CLOSINGS)])


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One control: what it does to an answer, and what that should do to the follow-up rate."""

    apply: Callable[[str, Material], str | None]
    expected: Literal["up", "down"]
    why: str


PERTURBATIONS: dict[str, Perturbation] = {
    "truncate": Perturbation(truncate, "up", "an unfinished answer invites a reaction"),
    "ask": Perturbation(ask, "up", "a question at the end hands the turn to the user"),
    "swap": Perturbation(swap, "down", "a turn that depends on the answer loses its own answer"),
    "close": Perturbation(close, "down", "a closing line ends the conversation"),
}
EXPECTED: dict[str, Literal["up", "down"]] = {
    name: perturbation.expected for name, perturbation in PERTURBATIONS.items()
}


def run(study: Study, slug: str) -> None:
    """Write `data/controls/<slug>.parquet`.

    Raises:
        ArtifactError: The model's answers are missing or damaged.
        EngineError: The engine cannot load the model or breaks; what is finished stays stored.
    """
    chat = generate.load_chat(study, slug)
    identity = weights.identity(study, slug)
    items = prompts.read(study.prompts.datasets).to_dicts()
    answers = artifacts.read(paths.artifact("answers", slug), "answers").to_dicts()
    shown = perturbed(study, answers, chat.encode_content, chat.decode)
    grid = [
        Turn(dataset, item, condition, temperature, sample)
        for dataset, item, condition in shown
        for temperature, sample in generate.samples(study, study.perturb.temperatures)
    ]
    queries = {(row["dataset"], row["item"]): row["text"] for row in items}
    stage = f"perturb@{slug}"
    with Completer(study, slug, stage, chat) as completer:
        rows = generate.user_turns(
            study, chat, identity, generate.context_limit(study, slug), grid, queries, shown,
            completer,
        )  # fmt: skip
        engine = completer.describe()
    for row in rows:
        row["answer"] = shown[row["dataset"], row["item"], row["condition"]].text
    params = {
        "perturb": study.perturb.model_dump(),
        "context": study.generate.context,
        "user_turn": study.generate.user_turn.model_dump(exclude={"temperatures"}),
        "seed": study.seed,
        "model": generate.result_keys(study.model[slug]),
    }
    facts = {"weights": identity, "engine": engine, "chat_template": chat.template_hash}
    artifacts.write(
        paths.artifact("controls", slug),
        "controls",
        rows,
        artifacts.provenance(stage, params, **facts),
    )


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
            material = Material(encode, decode, draw, others.get(place))
            text = PERTURBATIONS[condition].apply(row["text"], material)
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


def _append(answer: str, line: str) -> str:
    return f"{answer.rstrip()}\n\n{line}" if answer.strip() else line


def _draw(*key: Any) -> int:
    return int.from_bytes(hashlib.sha256(json.dumps(key).encode()).digest()[:8], "big")

"""Plausible artifacts of a study, without any model: larger models answer better, follow-up rates
rise with temperature, and perturbations move them as expected."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from userturn import __version__
from userturn.artifacts import files, schemas
from userturn.artifacts.labels import Label
from userturn.base import paths
from userturn.judges.likelihood.calibration import HeldOut
from userturn.study.loading import load_study
from userturn.study.study import Study

ROOT = Path(__file__).parents[1]
Row = dict[str, Any]

ELEVEN = {
    "qwen3_5_0_8b": ("Qwen3.5", 0.8),
    "qwen3_5_2b": ("Qwen3.5", 2),
    "qwen3_5_4b": ("Qwen3.5", 4),
    "qwen3_5_9b": ("Qwen3.5", 9),
    "qwen3_5_27b": ("Qwen3.5", 27),
    "qwen3_5_35b_a3b": ("Qwen3.5", 35),
    "qwen3_5_122b_a10b": ("Qwen3.5", 122),
    "qwen3_5_397b_a17b": ("Qwen3.5", 397),
    "gpt_oss_20b": ("gpt-oss", 20),
    "gpt_oss_120b": ("gpt-oss", 120),
    "glm_4_7": ("GLM", 358),
}
ONE = {"smollm2_135m": ("SmolLM2", 0.135)}
VERIFIERS = {"gsm8k": "math", "math_500": "math", "ifbench": "ifbench"}  # other sets have none
EFFECT = {"base": 1.0, "truncate": 1.8, "ask": 2.5, "swap": 0.3, "close": 0.6}
TURNS = {
    Label.FOLLOWUP: "Why did you subtract {item} before the last step?",
    Label.ON_TOPIC: "How many pears does person {item} have?",
    Label.RESTATEMENT: "How many apples does person {item} have?",
    Label.ASSISTANT_VOICE: "Sure! Here are {item} more ideas.",
    Label.UNRELATED: "A bat and a ball cost 1.10 in total.",  # memorised: the same everywhere
    Label.GENERIC: "Thanks!",
    Label.META: "I should now write as user {item}.",
    Label.EMPTY: "",
    Label.DEGENERATE: "the the the {item}",
}


def make_study(
    models: dict[str, tuple[str, float | None]] = ONE,
    datasets: Sequence[str] = ("gsm8k", "ifbench", "mt_bench"),
    temperatures: Sequence[float] = (0.0, 0.7, 1.0),
    samples: int = 4,
    conditions: Sequence[str] = ("truncate", "ask", "swap", "close"),
    **sections: Any,
) -> Study:
    source = {"type": "file", "path": "nowhere"}
    slugs = list(models)
    return Study.model_validate(
        {
            "prompts": {"datasets": list(datasets), "items": None},
            "models": {"pretrained": slugs, "probe": slugs},
            "generate": {"user_turn": {"temperatures": list(temperatures), "samples": samples}},
            "perturb": {"conditions": list(conditions)},
            "ground": {"scorer": slugs[0]},
            "statistics": {"bootstrap": 500},
            "model": {
                slug: {"source": source, "family": family, "parameters": size}
                for slug, (family, size) in models.items()
            },
            "dataset": {slug: {"kind": "jsonl", "source": source} for slug in datasets},
            **sections,
        }
    )


def write_artifacts(
    study: Study,
    items: int = 12,
    seed: int = 0,
    edit: Callable[[str, str, Row], Row | None] = lambda kind, slug, row: row,
) -> None:
    """Write every artifact that `tables` reads into the current folder.

    Args:
        study: Study whose models and datasets are made up.
        items: Prompts per dataset.
        seed: Seed of everything random here.
        edit: Called as `edit(kind, slug, row)` on each row before it is written; None drops it.
    """

    def write(kind: str, slug: str, rows: list[Row]) -> None:
        edited = [new for row in rows if (new := edit(kind, slug, row)) is not None]
        files.write(paths.artifact(kind, slug), kind, edited, {"stage": "synthetic"})

    for dataset in study.prompts.datasets:
        write("prompts", dataset, [_prompt(study, dataset, item) for item in range(items)])
    for index, model in enumerate(study.models.probe):
        rng = np.random.default_rng([seed, index])
        strength = index / max(1, len(study.models.probe) - 1)
        rows: dict[str, list[Row]] = {
            kind: []
            for kind in ("answers", "scores", "user_turns", "controls", "grounding", "labels")
        }
        for dataset in study.prompts.datasets:
            ease = rng.uniform(-0.15, 0.15)
            for item in range(items):
                right = rng.random() < np.clip(0.35 + 0.55 * strength + ease, 0, 1)
                rows["answers"].append(_answer(dataset, item, rng))
                rows["scores"].append(_score(dataset, item, right, rng))
                leaning = rng.beta(0.6, 4)  # prompts differ, so their samples cluster
                for condition, temperature, sample in _cells(study):
                    chance = leaning * (0.1 + temperature) * EFFECT[condition]
                    label = _draw_label(chance, rng)
                    key = {
                        "dataset": dataset,
                        "item": f"{item:04d}",
                        "condition": condition,
                        "temperature": temperature,
                        "sample": sample,
                    }
                    turn = _turn(key, label, item, rng)
                    if condition == "base":
                        rows["user_turns"].append(turn)
                    else:
                        rows["controls"].append({**turn, "answer": f"{condition} of {item}"})
                    for against in _answers(condition):
                        judged = label if against == schemas.SHOWN else _unseen(label)
                        measures = _measures(key, judged, rng)
                        rows["grounding"].append({**measures, "against": against})
                        rows["labels"] += [
                            {**_label(key, judged, judge, rng), "against": against}
                            for judge in study.classify.judges
                        ]
        for kind, made in rows.items():
            write(kind, model, made)
    rng = np.random.default_rng([seed, 99])
    for dataset in study.prompts.human:
        write("next_turns", dataset, [*_next_turns(study, dataset, items, rng)])
    for model in study.models.expect:
        rows_of = (_expected(dataset, items, rng) for dataset in study.prompts.human)
        write("expected", model, [row for rows in rows_of for row in rows])


def _next_turns(study: Study, dataset: str, items: int, rng: np.random.Generator) -> Iterator[Row]:
    for item in range(items):
        label = _draw_label(0.4, rng)
        key = {"dataset": dataset, "item": f"{item:04d}"}
        for judge in study.classify.judges:
            labelled = _label(key, label, judge, rng) | _measures({}, label, rng)
            yield {name: labelled[name] for name in schemas.columns("next_turns")}


def _expected(dataset: str, items: int, rng: np.random.Generator) -> Iterator[Row]:
    for item in range(items):
        own, other = -rng.uniform(2, 4), -rng.uniform(3, 6)
        yield {
            "dataset": dataset,
            "item": f"{item:04d}",
            "log_p": [own],
            "log_p_other": [other],
            "tokens": 1,
            "own": own,
            "other": other,
            "skipped": None,
        }


def _cells(study: Study) -> list[tuple[str, float, int]]:
    samples = study.generate.user_turn.samples
    settings = [("base", t) for t in study.generate.user_turn.temperatures] + [
        (condition, t) for condition in study.perturb.conditions for t in study.perturb.temperatures
    ]
    return [
        (condition, temperature, sample)
        for condition, temperature in settings
        for sample in range(samples if temperature else 1)
    ]


def _answers(condition: str) -> tuple[str, ...]:
    return (schemas.SHOWN, schemas.OWN) if condition == schemas.SWAP else (schemas.SHOWN,)


def _unseen(label: Label) -> Label:
    """A turn reacts to no answer that it never saw."""
    return Label.UNRELATED if label is Label.FOLLOWUP else label


def _label(key: Row, label: Label, judge: str, rng: np.random.Generator) -> Row:
    likely = rng.uniform(0.55, 1) if label is Label.FOLLOWUP else rng.uniform(0, 0.3)
    ruled = label in (Label.EMPTY, Label.DEGENERATE)
    return {
        **dict.fromkeys(schemas.LABELS),
        **key,
        "judge": judge,
        "label": label.value,
        "probability": (0.0 if ruled else likely) if judge == "likelihood" else None,
        "reason": "made up",
        "rubric": "0",
    }


def _draw_label(chance: float, rng: np.random.Generator) -> Label:
    if rng.random() < chance:
        return Label.FOLLOWUP
    others = [label for label in Label if label is not Label.FOLLOWUP]
    return others[rng.choice(len(others), p=[0.14, 0.16, 0.22, 0.20, 0.08, 0.06, 0.04, 0.10])]


def _prompt(study: Study, dataset: str, item: int) -> Row:
    talked = dataset in study.prompts.human
    return {
        "dataset": dataset,
        "item": f"{item:04d}",
        "order": item,
        "earlier": [],
        "text": f"How many apples does person {item} have?",
        "verifier": VERIFIERS.get(dataset),
        "target": json.dumps(item) if dataset in VERIFIERS else None,
        "reference_answer": f"Person {item} has them all." if talked else None,
        "next_turn": f"All {item} of them?" if talked else None,
    }


def _answer(dataset: str, item: int, rng: np.random.Generator) -> Row:
    return {
        "dataset": dataset,
        "item": f"{item:04d}",
        "request_id": f"{item:032x}",
        "context_tokens": 40,
        "text": f"Person {item} has {item} apples. " * 12,
        "reasoning": None,
        "token_ids": [1, 2, 3],
        "end": "length" if rng.random() < 0.1 else "eos",
        "stop_token": None,
        "skipped": None,
    }


def _score(dataset: str, item: int, right: bool, rng: np.random.Generator) -> Row:
    verifier = VERIFIERS.get(dataset)
    score = float(right) if verifier else None
    return {
        "dataset": dataset,
        "item": f"{item:04d}",
        "verifier": verifier,
        "score": score,
        "score_loose": None if score is None else float(right or rng.random() < 0.1),
        "unscored": None if verifier else "no published verifier",
    }


def _turn(key: Row, label: Label, item: int, rng: np.random.Generator) -> Row:
    length = 0 if label is Label.EMPTY else int(rng.integers(3, 40))
    cut = label is Label.DEGENERATE
    return {
        **key,
        "request_id": "0" * 32,
        "seed": 0,
        "context_tokens": 90,
        "text": TURNS[label].format(item=item),
        "token_ids": list(range(length)),
        "end": "empty" if label is Label.EMPTY else "length" if cut else "stop_token",
        "stop_token": None if cut else "<|im_end|>",
        "stripped": False,
        "skipped": None,
    }


def _measures(key: Row, label: Label, rng: np.random.Generator) -> Row:
    types = schemas.measured()
    names = [name for name, kind in types.items() if kind == "float64"]
    values = dict(zip(names, rng.random(len(names)).tolist(), strict=True))
    nothing = dict.fromkeys(types) | {"tokens": 0}
    return {**key, **nothing, **({} if label is Label.EMPTY else {"tokens": 10, **values})}


def held_out(prompts: int = 60, seed: int = 0) -> SimpleNamespace:
    """A calibration whose judge finds three of four follow-ups of held-out turns.

    Two turns per prompt that a model wrote, and one that a person wrote.
    """
    rng = np.random.default_rng(seed)
    turns = []
    for prompt in range(prompts):
        for temperature, condition in ((0.0, "base"), (0.7, "ask"), (None, None)):
            followup = bool(rng.random() < 0.25)
            labelled = bool(rng.random() < (0.75 if followup else 0.05))
            turns.append(
                HeldOut(
                    set="made_up",
                    prompt=str(prompt),
                    followup=followup,
                    labelled=labelled,
                    probability=rng.uniform(0.55, 1) if labelled else rng.uniform(0, 0.5),
                    temperature=temperature,
                    condition=condition,
                )
            )
    return SimpleNamespace(held_out=turns)


def fake_study(**engine: Any) -> Study:
    """The laptop study on the fake engine."""
    laptop = load_study(ROOT / "studies/laptop.yaml").model_dump()
    source = {"type": "generator", "module": "userturn.engines.fake", "version": __version__}
    entry = {"source": source, "engine": {"name": "fake", **engine}}
    return Study.model_validate(laptop | {"model": {"smollm2_135m": entry}})

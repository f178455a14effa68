"""Part `asked`: the probe in three sentences, and one turn with its exact context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from userturn.artifacts import files
from userturn.artifacts.labels import MEANING
from userturn.artifacts.schemas import BASE
from userturn.artifacts.turns import labels_of
from userturn.base import paths
from userturn.report._context import read_context
from userturn.report._part import Part, Source
from userturn.report._text import visible

SIGNS = {"\n": "⏎", "\t": "⇥"}


def view(source: Source) -> Mapping[str, Any]:
    """The example of the first model that has one, or why the first has none."""
    reasons = []
    for model in source.models:
        path = paths.context(model.slug)
        if not path.exists():
            reasons.append(f"{path} is missing: stage generate writes it")
            continue
        example = read_example(source, model.slug)
        if example is not None:
            return {"labels": MEANING, "example": example, "model": model.name, "reasons": ()}
        reasons.append(f"no first prompt of a dataset has a turn of {model.name}")
    return {"labels": MEANING, "example": None, "model": "", "reasons": reasons}


def read_example(source: Source, slug: str) -> Mapping[str, Any] | None:
    """The context that stage `generate` kept, and the coldest turn behind it.

    Raises:
        ArtifactError: The file cannot be read.
    """
    context = read_context(slug)
    if not context:
        return None
    place = {name: context[name] for name in ("dataset", "item")}
    turns = files.read(paths.artifact("user_turns", slug), "user_turns")
    ours = turns.filter(**place).drop_nulls("text").sort("temperature", "sample")
    if ours.is_empty():
        return None
    turn = ours.row(0, named=True)
    key = {"condition": BASE, "temperature": turn["temperature"], "sample": turn["sample"]}
    judged = labels_of(slug).filter(judge=source.study.classify.primary, **place, **key)
    return {
        "lines": in_lines(context["tokens"]),
        "turn": turn,
        "count": len(context["tokens"]),
        "id": "/".join([slug, *place.values(), BASE, f"{turn['temperature']:g}", "0"]),
        "judged": judged.row(0, named=True) if len(judged) else None,
        **place,
    }


def in_lines(tokens: list[list[Any]]) -> list[list[tuple[Any, bool]]]:
    """Tokens as they are shown, broken behind newlines; with each, whether it is a control token.

    Args:
        tokens: Of each token its id, text, and whether it is a control token.
    """
    lines: list[list[tuple[Any, bool]]] = [[]]
    for _, text, control in tokens:
        shown = visible("".join(SIGNS.get(sign, sign) for sign in text))
        lines[-1].append((shown, control))
        if text.endswith("\n"):
            lines.append([])
    return [line for line in lines if line]


PART = Part("What was asked", view)

"""What a model's chat template puts around a prompt and an answer, read off a kept context.

Stage `generate` keeps one context of each model as tokens. Query and answer are cut out of it; what
is left stands around those of every other turn, since the stage refuses a template that changes
what it is given. Of a turn whose prompt is a longer conversation it says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from userturn.artifacts import files
from userturn.base import paths
from userturn.base.errors import ArtifactError

Piece = tuple[str, bool]
"""A text, and whether it is a control token."""


def read_context(slug: str) -> Mapping[str, Any]:
    """The context of a model that stage `generate` kept; empty where it kept none.

    Raises:
        ArtifactError: The file cannot be read.
    """
    path = paths.context(slug)
    if not path.exists():
        return {}
    try:
        context: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if context and not {"dataset", "item", "tokens"} <= context.keys():
            raise ValueError(f"has only {sorted(context)}")
        if any(len(token) != 3 for token in context.get("tokens", ())):
            raise ValueError("a token is no id, text and flag")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ArtifactError(f"{path}: cannot be read ({error}); run `dvc repro`") from None
    return context


def around(slug: str) -> list[list[Piece]] | None:
    """What stands before a query, between it and its answer, and behind that; None if unknown.

    Raises:
        ArtifactError: The kept context, its prompt or its answer cannot be read.
    """
    context = read_context(slug)
    if not context:
        return None
    place = {name: context[name] for name in ("dataset", "item")}
    items = [place["item"]]
    prompts = files.read(paths.artifact("prompts", place["dataset"]), "prompts", items=items)
    answers = files.read(paths.artifact("answers", slug), "answers", items=items).filter(**place)
    if prompts.is_empty() or answers.is_empty() or answers["text"][0] is None:
        return None
    return cut(context["tokens"], prompts["text"][0], answers["text"][0])


def cut(tokens: Sequence[Sequence[Any]], query: str, answer: str) -> list[list[Piece]] | None:
    """Tokens without a query and the answer behind it: three lists; None where they are not there.

    >>> cut([[1, "<u>", True], [2, "Hi", False], [3, "<a>", True], [4, "So.", False]], "Hi", "So.")
    [[('<u>', True)], [('<a>', True)], []]

    Args:
        tokens: Of each token its id, text, and whether it is a control token.
        query: The query; white space at its ends may have been cut off.
        answer: The answer, likewise.
    """
    texts = [(str(text), bool(control)) for _, text, control in tokens]
    whole = "".join(text for text, _ in texts)
    query, answer = query.strip(), answer.strip()
    behind = whole.rfind(answer)
    start = whole.rfind(query, 0, behind)
    if behind < 0 or start < 0 or not query or not answer:
        return None
    ends = (start, start + len(query), behind, behind + len(answer))
    spans = ((0, ends[0]), (ends[1], ends[2]), (ends[3], len(whole)))
    return [_within(texts, low, high) for low, high in spans]


def _within(texts: Sequence[Piece], low: int, high: int) -> list[Piece]:
    """The pieces between two characters, plain ones that touch each other as one."""
    pieces: list[Piece] = []
    at = 0
    for text, control in texts:
        part = text[max(0, low - at) : max(0, high - at)]
        at += len(text)
        if part and pieces and not control and not pieces[-1][1]:
            pieces[-1] = pieces[-1][0] + part, False
        elif part:
            pieces.append((part, control))
    return pieces

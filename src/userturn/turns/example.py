"""One context token by token, kept beside a model's turns so that the report can show it.

Whoever draws the report has the artifacts, and mostly neither tokenizer nor template.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from userturn.chat.chat import Chat, Mode

Row = Mapping[str, Any]


def example(
    chat: Chat, mode: Mode, items: Iterable[Row], answers: Iterable[Row], turns: Iterable[Row]
) -> dict[str, Any]:
    """The shortest context among those of the first prompt of each dataset that has a turn.

    Args:
        chat: The model's chat.
        mode: The context of the study.
        items: Rows of kind `prompts`.
        answers: Rows of kind `answers`.
        turns: Rows of kind `user_turns`.

    Returns:
        `dataset` and `item` of the prompt, and `tokens`: of each its id, its text, and whether it
        is a control token. Empty where no prompt has a turn.
    """
    lengths = {
        (row["dataset"], row["item"]): row["context_tokens"]
        for row in turns
        if row["skipped"] is None
    }
    first: dict[str, Row] = {}
    for item in sorted(items, key=lambda row: int(row["order"])):
        if (item["dataset"], item["item"]) in lengths:
            first.setdefault(item["dataset"], item)
    if not first:
        return {}
    shortest = min(first.values(), key=lambda row: lengths[row["dataset"], row["item"]])
    place = (shortest["dataset"], shortest["item"])
    shown = next(row["text"] for row in answers if (row["dataset"], row["item"]) == place)
    ids = chat.user_context(shortest["text"], shown, mode)
    texts = chat.pieces(ids)
    return {
        "dataset": place[0],
        "item": place[1],
        "tokens": [
            [id_, text, id_ in chat.control_ids] for id_, text in zip(ids, texts, strict=True)
        ],
    }

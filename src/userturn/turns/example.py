"""One context token by token, kept beside a model's turns so that the report can show it.

Whoever draws the report has the artifacts, and mostly neither tokenizer nor template.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from userturn.chat.chat import Chat
from userturn.turns.grid import TurnKey
from userturn.turns.planner import Draft


def example(
    chat: Chat, items: Iterable[Mapping[str, Any]], drafts: Iterable[Draft[TurnKey]]
) -> dict[str, Any]:
    """The shortest context among those of the first prompt of each dataset that has a turn.

    Args:
        chat: The model's chat.
        items: Rows of kind `prompts`.
        drafts: What was asked for user turns behind unperturbed answers.

    Returns:
        `dataset` and `item` of the prompt, and `tokens`: of each its id, its text, and whether it
        is a control token. Empty where no prompt has a turn.
    """
    contexts = {draft.key[:2]: draft.request.context for draft in drafts if draft.request}
    first: dict[str, tuple[str, str]] = {}
    for item in sorted(items, key=lambda row: int(row["order"])):
        place = (item["dataset"], item["item"])
        if place in contexts:
            first.setdefault(item["dataset"], place)
    if not first:
        return {}
    dataset, item_id = min(first.values(), key=lambda place: len(contexts[place]))
    ids = contexts[dataset, item_id]
    texts = zip(ids, chat.pieces(ids), strict=True)
    return {
        "dataset": dataset,
        "item": item_id,
        "tokens": [[id_, text, id_ in chat.control_ids] for id_, text in texts],
    }

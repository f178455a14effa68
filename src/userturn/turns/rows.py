"""Rows of answers and user turns, made of what was wanted and what was completed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from userturn.chat.chat import Chat
from userturn.chat.stops import StopSet
from userturn.engines.requests import Completion, Request
from userturn.turns.grid import Place, TurnKey
from userturn.turns.planner import Draft

Completions = Mapping[str, Completion]
"""Completions by request id."""


def requests(drafts: Iterable[Draft[Any]]) -> list[Request]:
    """What is sent for drafts."""
    return [draft.request for draft in drafts if draft.request]


def answer_row(draft: Draft[Place], done: Completions, chat: Chat) -> dict[str, Any]:
    """Columns of kind `answers` up to `skipped`."""
    row = _completed(draft, done, chat.answer_stop, chat.answer_text)
    row["reasoning"] = chat.reasoning_text(row["token_ids"] or ()) or None
    if draft.request is None:
        row["text"] = draft.text
    return dict(zip(("dataset", "item"), draft.key, strict=True)) | row


def turn_row(draft: Draft[TurnKey], done: Completions, chat: Chat) -> dict[str, Any]:
    """A row of kind `user_turns`."""
    row = _completed(draft, done, chat.user_stop, chat.user_text)
    header = row["text"] and chat.user_stop.first_text(chat.decode(row["token_ids"]))
    if header and row["end"] != "empty":  # the model went on behind it, which is no part of a turn
        row["end"], row["stop_token"] = "stop_token", header
    stripped = row["text"] is not None and chat.strip(row["text"])
    row["text"], row["stripped"] = stripped or (None, False)
    return {**draft.key._asdict(), "seed": draft.seed, **row}


def _completed(
    draft: Draft[Any],
    done: Completions,
    stop: StopSet,
    read: Callable[[Sequence[int]], str],
) -> dict[str, Any]:
    """Columns that answers and user turns have in common; null text where nothing was sent."""
    request = draft.request
    if request is None:
        empty = dict.fromkeys(("request_id", "text", "token_ids", "end", "stop_token"))
        return {**empty, "context_tokens": 0, "skipped": draft.skipped}
    completion = done[request.id]
    text = read(completion.token_ids)
    stop_id = completion.stop_id
    return {
        "request_id": request.id,
        "context_tokens": len(request.context),
        "text": text,
        "token_ids": list(completion.token_ids),
        "end": completion.end if text.strip() else "empty",
        "stop_token": None if stop_id is None else stop.names.get(stop_id, str(stop_id)),
        "skipped": None,
    }

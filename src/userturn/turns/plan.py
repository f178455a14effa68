"""Stage `generate`: the answers of one model, and the user turns it generates behind them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from userturn.base.errors import TemplateError
from userturn.base.seeds import derive_seed
from userturn.chat.roles import Chat, StopSet
from userturn.engines.requests import Completion, Request, Sampling
from userturn.study.study import Study
from userturn.turns.complete import Completer

log = logging.getLogger(__name__)

T = TypeVar("T")

EMPTY_PROMPT = "empty prompt"
NO_REFERENCE = "the dataset has no reference answer for this prompt"


@dataclass(frozen=True, slots=True)
class Turn:
    """Which user turn is wanted (artifacts.TURN_KEY)."""

    dataset: str
    item: str
    condition: str
    temperature: float
    sample: int


@dataclass(frozen=True, slots=True)
class Shown:
    """The answer that a context shows, or why there is none."""

    text: str | None
    skipped: str | None


@dataclass(frozen=True, slots=True)
class Draft(Generic[T]):
    """A row before its completion: what is wanted, and the request, or why there is none.

    `request` and `skipped` are both None where the answer comes with the dataset.
    """

    wanted: T
    request: Request | None
    skipped: str | None
    seed: int


def samples(study: Study, temperatures: Iterable[float]) -> list[tuple[float, int]]:
    """Temperature and sample number of every user turn of one prompt; greedy has one sample."""
    count = study.generate.user_turn.samples
    return [(t, n) for t in temperatures for n in range(1 if t == 0 else count)]


def answer_requests(
    study: Study, chat: Chat, identity: str, items: Iterable[Mapping[str, Any]], limit: int
) -> list[Draft[Mapping[str, Any]]]:
    """What is asked for the answer to every prompt.

    Args:
        study: The study.
        chat: Templates of the answering model.
        identity: Identity of its weights.
        items: Rows of artifacts.PROMPTS.
        limit: Longest context plus completion, tokens.
    """
    wanted = study.generate.answer
    sampling = Sampling(wanted.temperature, wanted.top_p, wanted.max_tokens, chat.answer_stop.ids)
    drafts = []
    for item in items:
        request, skipped = None, None
        seed = derive_seed(
            study.seed, item["dataset"], item["item"], "answer", wanted.temperature, 0
        )
        if not item["text"].strip():
            skipped = EMPTY_PROMPT
        elif study.generate.answer_source == "reference":
            skipped = None if item["reference_answer"] is not None else NO_REFERENCE
        else:
            try:
                context = chat.answer_context(item["text"])
            except TemplateError as error:  # of this text alone: `self_check` passed
                skipped = str(error)
            else:
                skipped = too_long(len(context), wanted.max_tokens, limit)
                request = None if skipped else Request(identity, context, sampling, seed)
        drafts.append(Draft(item, request, skipped, seed))
    return drafts


def user_turns(
    study: Study,
    chat: Chat,
    identity: str,
    limit: int,
    grid: Iterable[Turn],
    queries: Mapping[tuple[str, str], str],
    shown: Mapping[tuple[str, str, str], Shown],
    completer: Completer,
) -> list[dict[str, Any]]:
    """Generate user turns and return them as rows of artifacts.USER_TURNS.

    Args:
        study: The study.
        chat: Templates of the generating model.
        identity: Identity of its weights.
        limit: Longest context plus completion, tokens.
        grid: The turns wanted.
        queries: Prompt text by (dataset, item).
        shown: Answer in the context by (dataset, item, condition).
        completer: Where completions come from.
    """
    drafts = turn_requests(study, chat, identity, limit, grid, queries, shown)
    done = completer.complete([draft.request for draft in drafts if draft.request], "user turns")
    rows = []
    for draft in drafts:
        turn = draft.wanted
        row: dict[str, Any] = {
            "dataset": turn.dataset,
            "item": turn.item,
            "condition": turn.condition,
            "temperature": turn.temperature,
            "sample": turn.sample,
            "seed": draft.seed,
        }
        row |= generated(draft.request, done, draft.skipped, chat.user_stop, chat.decode)
        stripped = row["text"] is not None and chat.strip(row["text"])
        row["text"], row["stripped"] = stripped or (None, False)
        rows.append(row)
    return rows


def turn_requests(
    study: Study,
    chat: Chat,
    identity: str,
    limit: int,
    grid: Iterable[Turn],
    queries: Mapping[tuple[str, str], str],
    shown: Mapping[tuple[str, str, str], Shown],
) -> list[Draft[Turn]]:
    """What is asked for every user turn of the grid; arguments as of `user_turns`."""
    wanted = study.generate.user_turn
    contexts: dict[tuple[str, str, str], tuple[int, ...] | str | None] = {}
    for (dataset, item, condition), answer in shown.items():
        try:
            contexts[dataset, item, condition] = (
                answer.skipped
                if answer.text is None
                else chat.user_context(queries[dataset, item], answer.text, study.generate.context)
            )
        except TemplateError as error:  # of this text alone: `self_check` passed
            contexts[dataset, item, condition] = str(error)
    drafts = []
    for turn in grid:
        context = contexts[turn.dataset, turn.item, turn.condition]
        seed = derive_seed(
            study.seed, turn.dataset, turn.item, turn.condition, turn.temperature, turn.sample
        )
        if not isinstance(context, tuple):
            drafts.append(Draft(turn, None, context, seed))
        elif reason := too_long(len(context), wanted.max_tokens, limit):
            drafts.append(Draft(turn, None, reason, seed))
        else:
            sampling = Sampling(
                turn.temperature, wanted.top_p, wanted.max_tokens, chat.user_stop.ids
            )
            drafts.append(Draft(turn, Request(identity, context, sampling, seed), None, seed))
    return drafts


def generated(
    request: Request | None,
    done: Mapping[str, Completion],
    skipped: str | None,
    stop: StopSet,
    read: Callable[[Sequence[int]], str],
) -> dict[str, Any]:
    """Columns that answers and user turns have in common; null text where skipped."""
    if request is None:
        empty = dict.fromkeys(("request_id", "text", "token_ids", "end", "stop_token"))
        return {**empty, "context_tokens": 0, "skipped": skipped}
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


def too_long(context_tokens: int, max_tokens: int, limit: int) -> str | None:
    """Why a request cannot be sent: it would be cut silently. None where it fits."""
    if context_tokens + max_tokens <= limit:
        return None
    return (
        f"context of {context_tokens} tokens and {max_tokens} new ones exceed the limit of {limit}"
    )

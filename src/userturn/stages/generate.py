"""Stage `generate`: the answers of one model, and the user turns it generates behind them."""

from __future__ import annotations

import logging
from typing import Any

from userturn import artifacts, prompts, verifiers
from userturn.artifacts import BASE
from userturn.base import paths
from userturn.chat.loading import load_chat
from userturn.chat.roles import Chat
from userturn.models import weights
from userturn.models.weights import context_limit
from userturn.study.slices import slice_of
from userturn.study.study import Study
from userturn.turns.complete import Completer
from userturn.turns.plan import Shown, Turn, answer_requests, generated, samples, user_turns

log = logging.getLogger(__name__)


def run(study: Study, slug: str) -> None:
    """Write `data/answers/<slug>.parquet` and `data/user_turns/<slug>.parquet`.

    Raises:
        TemplateError: The model's chat template cannot carry the conversation.
        EngineError: The engine cannot load the model or breaks; what is finished stays stored.
    """
    chat = load_chat(study, slug)
    identity = weights.identity(study, slug)
    items = prompts.read(study.prompts.datasets).to_dicts()
    limit = context_limit(study, slug)
    stage = f"generate@{slug}"

    with Completer(study, slug, stage, chat) as completer:
        answers = _answers(study, chat, identity, items, limit, completer)
        grid = [
            Turn(row["dataset"], row["item"], BASE, temperature, sample)
            for row in answers
            for temperature, sample in samples(study, study.generate.user_turn.temperatures)
        ]
        shown = {
            (row["dataset"], row["item"], BASE): Shown(row["text"], row["skipped"])
            for row in answers
        }
        queries = {(row["dataset"], row["item"]): row["text"] for row in items}
        turns = user_turns(study, chat, identity, limit, grid, queries, shown, completer)
        facts = {
            "weights": identity,
            "engine": completer.describe(),
            "chat_template": chat.template_hash,
        }

    made_by = artifacts.provenance(stage, slice_of(study, stage), **facts)
    artifacts.write(paths.artifact("answers", slug), "answers", answers, made_by)
    artifacts.write(paths.artifact("user_turns", slug), "user_turns", turns, made_by)
    skipped = [row["skipped"] for row in [*answers, *turns] if row["skipped"]]
    if skipped:
        log.warning("%s: %d rows skipped, first reason: %s", stage, len(skipped), skipped[0])


def _answers(
    study: Study,
    chat: Chat,
    identity: str,
    items: list[dict[str, Any]],
    limit: int,
    completer: Completer,
) -> list[dict[str, Any]]:
    drafts = answer_requests(study, chat, identity, items, limit)
    done = completer.complete([draft.request for draft in drafts if draft.request], "answers")
    rows = []
    for draft in drafts:
        item, request, skipped = draft.wanted, draft.request, draft.skipped
        row = generated(request, done, skipped, chat.answer_stop, chat.answer_text)
        if request is None and skipped is None:
            row["text"] = item["reference_answer"]
        score = verifiers.score(item["verifier"], item["target"], row["text"])
        rows.append(
            {
                "dataset": item["dataset"],
                "item": item["item"],
                **row,
                "verifier": item["verifier"],
                "score": score.strict,
                "score_loose": score.loose,
                "unscored": skipped or score.unscored,
            }
        )
    return rows

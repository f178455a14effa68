"""Stage `generate`: the answers of one model, and the user turns it generates behind them."""

from __future__ import annotations

import json
import logging

from userturn.artifacts import files, provenance
from userturn.artifacts.prompts import read_prompts
from userturn.base import paths
from userturn.base.files import write_text
from userturn.study.slices import slice_of
from userturn.study.study import Study
from userturn.turns.completer import Completer
from userturn.turns.example import example
from userturn.turns.planner import Planner
from userturn.turns.rows import answer_row, requests, turn_row

log = logging.getLogger(__name__)

TURNS_ALONE = ("generate.context", "generate.user_turn")
"""Parameters that no answer depends on: with other ones its bytes stay, and what is made of it."""


def run(study: Study, slug: str) -> None:
    """Write `data/answers/<slug>.parquet`, `data/user_turns/<slug>.parquet` and one context.

    Raises:
        TemplateError: The model's chat template cannot carry the conversation.
        EngineError: The engine cannot load the model or breaks; what is finished stays stored.
    """
    items = read_prompts(study.prompts.datasets).to_dicts()
    planner = Planner.load(study, slug, items)
    chat = planner.chat
    stage = f"generate@{slug}"
    with Completer(study, slug, stage, chat) as completer:
        asked = planner.answers(items)
        done = completer.complete(requests(asked), "answers")
        answers = [answer_row(draft, done, chat) for draft in asked]
        wanted = planner.user_turns(items, answers)
        done = completer.complete(requests(wanted), "user turns")
        turns = [turn_row(draft, done, chat) for draft in wanted]
    facts = completer.facts(planner)
    for kind, rows, others in (("answers", answers, TURNS_ALONE), ("user_turns", turns, ())):
        params = slice_of(study, stage, without=others)
        params["generate.answer_source"] = study.generate.own_source  # others change no byte here
        files.write(paths.artifact(kind, slug), kind, rows, provenance.of(stage, params, **facts))
    shown = example(chat, items, wanted)
    write_text(paths.context(slug), json.dumps(shown, ensure_ascii=False) + "\n")
    skipped = [row["skipped"] for row in [*answers, *turns] if row["skipped"]]
    if skipped:
        log.warning("%s: %d rows skipped, first reason: %s", stage, len(skipped), skipped[0])

"""Stage `cross`: user turns of one model behind the answers of other sources."""

from __future__ import annotations

from userturn.artifacts import files, provenance
from userturn.artifacts.prompts import read_prompts
from userturn.base import paths
from userturn.study.slices import slice_of
from userturn.study.study import Study
from userturn.turns.completer import Completer
from userturn.turns.cross import cross_turns, models_of, source_of
from userturn.turns.planner import Planner
from userturn.turns.rows import requests, turn_row


def run(study: Study, slug: str) -> None:
    """Write `data/cross/<slug>.parquet`; the answers are read, none is generated.

    Raises:
        ArtifactError: The answers of a source are missing or damaged.
        EngineError: The engine cannot load the model or breaks; what is finished stays stored.
    """
    items = read_prompts(study.prompts.datasets).to_dicts()
    planner = Planner.load(study, slug, items)
    answers = {
        source: files.read(paths.artifact("answers", source), "answers").to_dicts()
        for source in models_of(study, slug)
    }
    wanted = cross_turns(planner, slug, items, answers)
    stage = f"cross@{slug}"
    with Completer(study, slug, stage, planner.chat) as completer:
        done = completer.complete(requests(wanted), "user turns")
    rows = [
        {
            **turn_row(draft, done, planner.chat),
            "answer_source": source_of(draft.key.condition),
            "answer": draft.text,
        }
        for draft in wanted
    ]
    made_by = provenance.of(stage, slice_of(study, stage), **completer.facts(planner))
    files.write(paths.artifact("cross", slug), "cross", rows, made_by)

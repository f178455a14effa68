"""Stage `perturb`: user turns behind controlled perturbations of the answer."""

from __future__ import annotations

from userturn.artifacts import files, provenance
from userturn.artifacts.prompts import read_prompts
from userturn.base import paths
from userturn.study.slices import slice_of
from userturn.study.study import Study
from userturn.turns.completer import Completer
from userturn.turns.controls import control_turns
from userturn.turns.planner import Planner
from userturn.turns.rows import requests, turn_row


def run(study: Study, slug: str) -> None:
    """Write `data/controls/<slug>.parquet`.

    Raises:
        ArtifactError: The model's answers are missing or damaged.
        EngineError: The engine cannot load the model or breaks; what is finished stays stored.
    """
    items = read_prompts(study.prompts.datasets).to_dicts()
    planner = Planner.load(study, slug, items)
    answers = files.read(paths.artifact("answers", slug), "answers").to_dicts()
    wanted = control_turns(planner, items, answers)
    stage = f"perturb@{slug}"
    with Completer(study, slug, stage, planner.chat) as completer:
        done = completer.complete(requests(wanted), "user turns")
    rows = [{**turn_row(draft, done, planner.chat), "answer": draft.text} for draft in wanted]
    made_by = provenance.of(stage, slice_of(study, stage), **completer.facts(planner))
    files.write(paths.artifact("controls", slug), "controls", rows, made_by)

"""Whether a model's answers and turns come out the same again, in other company.

All is generated twice from nothing, the second time with another number of sequences in a batch:
what else is in a batch makes generations differ on most devices. The two are compared row by row,
and in every rate that can be told without a GPU.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from userturn.artifacts.schemas import SHOWN
from userturn.base import paths
from userturn.base.errors import StudyError, UserturnError
from userturn.judges.likelihood import calibration
from userturn.judges.likelihood.evidence import Evidence
from userturn.judges.likelihood.judge import judge
from userturn.judges.likelihood.rules import rule
from userturn.measures import kinds
from userturn.measures.measurable import Measurable
from userturn.measures.measure import measure_all
from userturn.measures.scorer import Scorer
from userturn.models import weights
from userturn.prompts.collect import load, select
from userturn.stages.ground import measurable
from userturn.store.asker import Asker
from userturn.store.kinds import COMPLETIONS
from userturn.store.worker import Worker, generate
from userturn.study.study import Study
from userturn.turns.planner import Planner
from userturn.turns.rows import answer_row, requests, turn_row
from userturn.workflow.runs import (
    OPEN,
    Key,
    Row,
    Run,
    Same,
    Shift,
    compare,
    mean_shifts,
    other_batch,
    share_shifts,
)


@dataclass(frozen=True, slots=True)
class Repeated:
    """What came out.

    Attributes:
        model: Slug.
        prompts: How many were answered.
        batches: Sequences in a batch, in the first and the second run.
        engine: What the engine says of itself.
        same: Rows compared: answers, all turns, and the turns behind answers that were the same.
        shifts: Rates compared, where a run has any of it.
        notes: What was not looked at, and why.
    """

    model: str
    prompts: int
    batches: tuple[int, int]
    engine: Mapping[str, str]
    same: tuple[Same, ...]
    shifts: tuple[Shift, ...]
    notes: tuple[str, ...]


def repeat(study: Study, slug: str, items: int) -> Repeated:
    """Generate twice and compare.

    Args:
        study: The study.
        slug: One of its probed models.
        items: First n prompts of each dataset.

    Raises:
        StudyError: The study does not probe the model.
        SourceError: Prompts or weights cannot be had.
        EngineError: The engine cannot load or breaks.
    """
    if slug not in study.models.probe:
        known = ", ".join(study.models.probe)
        raise StudyError(f"--model {slug}: the study does not probe it; it probes: {known}")
    prompts = [
        prompt.columns(dataset)
        for dataset in study.prompts.datasets
        for prompt in select(load(study, dataset)[0], items, study.seed, dataset)
    ]
    planner = Planner.load(study, slug, prompts)
    usual = study.model[slug].engine.max_num_seqs
    batches = usual, other_batch(usual, len(prompts))
    runs = [_run(planner, slug, prompts, batch) for batch in batches]
    worker = _worker(study, slug, usual)
    shifts, notes = _shifts(study, *runs)
    return Repeated(
        model=slug,
        prompts=len(prompts),
        batches=batches,
        engine=worker.describe(),
        same=tuple(compare(*runs)),
        shifts=tuple(shifts),
        notes=tuple(notes),
    )


# --- generating -----------------------------------------------------------------------------------


def _worker(study: Study, slug: str, batch: int) -> Worker[Any, Any]:
    params = study.model[slug].engine.model_copy(update={"max_num_seqs": batch})
    return Worker(slug, params, weights.materialise(study, slug), generate)


def _run(planner: Planner, slug: str, prompts: Sequence[Row], batch: int) -> Run:
    """Generate everything once, into an empty store of its own and from no previous output."""
    study, chat = planner.study, planner.chat
    stage = f"repeatability of {slug}, {batch} sequences in a batch"
    with (
        _store_apart(),
        Asker(
            stage, paths.completion_store(slug), COMPLETIONS, _worker(study, slug, batch)
        ) as asker,
    ):
        drafts = planner.answers(prompts)
        done = asker.ask({one.id: one for one in requests(drafts)}, "answers")
        answers = [answer_row(draft, done, chat) for draft in drafts]
        wanted = planner.user_turns(prompts, answers)
        done = asker.ask({one.id: one for one in requests(wanted)}, "user turns")
    asked = {
        (row["dataset"], row["item"]): {"earlier": row["earlier"], "query": row["text"]}
        for row in prompts
    }
    turns = [
        {
            **turn_row(draft, done, chat),
            **asked[draft.key[:2]],
            "answer": draft.text,
            "against": SHOWN,
        }
        for draft in wanted
    ]
    return Run(tuple(answers), tuple(turns))


@contextmanager
def _store_apart() -> Iterator[None]:
    """Stores in an empty folder, which is removed."""
    before = os.environ.get("USERTURN_STORE")
    with tempfile.TemporaryDirectory(prefix="userturn-") as folder:
        os.environ["USERTURN_STORE"] = folder
        try:
            yield
        finally:
            os.environ.pop("USERTURN_STORE")
            if before is not None:
                os.environ["USERTURN_STORE"] = before


def _shifts(study: Study, *runs: Run) -> tuple[list[Shift], list[str]]:
    """Every rate that needs no GPU, and what is left out."""
    known: list[Shift] = []
    evidence = [{_place(turn): _evidence(turn) for turn in _generated(run)} for run in runs]
    ruled = [{key: _rule(one) for key, one in each.items()} for each in evidence]
    known += share_shifts("rules", *ruled)
    for name, measure in kinds.load_all().items():
        if not measure.contexts:
            values = [
                {
                    _place(turn): float(measure.value(_measurable(turn), {}))
                    for turn in _generated(run)
                    if turn["text"].strip()
                }
                for run in runs
            ]
            known += mean_shifts("text", name, *values)
    if study.model[study.ground.scorer].resources.gpus:
        return known, [
            f"the likelihood judge was not asked: its scorer {study.ground.scorer} wants a GPU"
        ]
    try:
        judged = _judged(study, runs)
    except UserturnError as error:
        return known, [f"the likelihood judge was not asked: {error}"]
    return [*known, *share_shifts("likelihood", *judged)], []


def _generated(run: Run) -> Iterator[Row]:
    return (turn for turn in run.turns if turn["text"] is not None)


def _place(turn: Row) -> Key:
    return turn["temperature"], turn["dataset"], turn["item"], turn["sample"]


def _evidence(turn: Row) -> Evidence:
    """What rules read of a turn."""
    return Evidence(turn["text"], turn["end"], turn["query"], turn["answer"] or "")


def _rule(turn: Evidence) -> str:
    ruled = rule(turn)
    return ruled[0].value if ruled else OPEN


def _measurable(turn: Row) -> Measurable:
    return Measurable(_place(turn), turn["query"], turn["answer"] or "", turn["text"], ())


def _judged(study: Study, runs: Sequence[Run]) -> list[dict[Key, str]]:
    """Labels of the likelihood judge in each run, by (temperature, ...); equal turns cost once."""
    fitted = calibration.of_study(study)
    labelled = []
    with _store_apart(), Scorer(study, "repeatability") as scorer:
        for run in runs:
            rows = list(_generated(run))
            asked = [measurable(turn, scorer.chat) for turn in rows]
            measured = {
                turn.key: columns
                for turn, columns in measure_all(study, asked, scorer, "repeatability")
            }
            labels = {}
            for turn, one in zip(rows, asked, strict=True):
                label = judge(Evidence.of(turn, measured[one.key]), fitted).label
                labels[_place(turn)] = label.value if label else OPEN
            labelled.append(labels)
    return labelled

"""What is known before anything runs: prompts, lengths, finished requests. Fetches nothing."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from statistics import fmean

from userturn import stages
from userturn.artifacts import files, messages
from userturn.artifacts.prompts import read_prompts
from userturn.base import paths
from userturn.base.errors import ArtifactError, StudyError, UserturnError
from userturn.models import sources
from userturn.store import previous
from userturn.study.judges import LIKELIHOOD
from userturn.study.loading import PARAMS_FILE, load_study
from userturn.study.study import Study
from userturn.workflow.asked import GENERATED, Counted
from userturn.workflow.counts import Counts
from userturn.workflow.plan.assumptions import Assumptions
from userturn.workflow.plan.setting import Basis, Lengths, Prompts
from userturn.workflow.repository import RunError
from userturn.workflow.status import UP_TO_DATE, status
from userturn.workflow.written_out import DVC_FILE

Finished = Mapping[tuple[str, str], Counted]
"""Counts by stage and kind of request."""
ALL = sys.maxsize
"""Finished of a stage that is up to date and whose requests nobody counted."""


def is_of_this_folder(study: Study) -> bool:
    """Whether a study is the one of `params.yaml`, so that artifacts and DVC speak of it."""
    try:
        return PARAMS_FILE.is_file() and load_study() == study
    except StudyError:
        return False


def prompts(study: Study, slug: str, assumed: Assumptions, here: bool) -> Prompts:
    """How many prompts of a dataset a study takes, and how long they are.

    Args:
        study: The study.
        slug: The dataset.
        assumed: What to take for granted.
        here: Whether the artifacts of this folder are the study's.

    Raises:
        StudyError: Nobody knows how many there are.
    """
    entry, wanted = study.dataset[slug], study.prompts.items
    texts, basis = _texts(study, slug, here)
    if basis is not None:
        tokens = [len(text) / assumed.characters_per_token for text in texts]
        return Prompts(len(texts), fmean(tokens or [0.0]), max(tokens, default=0.0), basis)
    counts = [count for count in (wanted, entry.size) if count is not None]
    if not counts:
        raise StudyError(
            f"dataset.{slug}.size: is missing, `prompts.items` takes all, and its source is not on "
            "this machine: write its number of prompts there for a plan"
        )
    if entry.prompt_tokens is not None:
        return Prompts(min(counts), entry.prompt_tokens, None, "registry")
    return Prompts(min(counts), assumed.prompt_tokens, None, "assumed")


def _texts(study: Study, slug: str, here: bool) -> tuple[Sequence[str], Basis | None]:
    """Texts of whole prompts and where they are from, artifact or source; None: neither."""
    from userturn.prompts.collect import load, select

    if here and paths.artifact("prompts", slug).is_file():
        try:
            rows = read_prompts([slug]).iter_rows(named=True)
            return [_text(messages.asked(row)) for row in rows], "artifact"
        except ArtifactError:
            pass  # stage `prompts` makes it again
    if not sources.is_here(study.dataset[slug].source):
        return [], None
    try:
        with redirect_stderr(io.StringIO()):  # what the stage says when it runs
            chosen = select(load(study, slug)[0], study.prompts.items, study.seed, slug)
    except UserturnError:
        return [], None
    return [_text(messages.query_of(one.earlier, one.text)) for one in chosen], "source"


def _text(query: messages.Query) -> str:
    return "".join(message.content for message in messages.messages_of(query))


def lengths(study: Study, slug: str, assumed: Assumptions, here: bool) -> Lengths:
    """Mean lengths of a model's answers and turns: of its artifacts, else as assumed."""
    limits = study.generate
    answer, turn = (
        min(mean, limit)
        for mean, limit in (
            (assumed.answer_tokens, limits.answer.max_tokens),
            (assumed.turn_tokens, limits.user_turn.max_tokens),
        )
    )
    if here:
        try:
            known = [_mean(kind, slug) for kind in GENERATED["generate"]]
        except ArtifactError:
            known = [None, None]
        if known[0] is not None and known[1] is not None:
            return Lengths(known[0], known[1], True)
    return Lengths(float(answer), float(turn), False)


def _mean(kind: str, slug: str) -> float | None:
    """Mean length of the completions of an artifact, tokens."""
    mean = files.read(paths.artifact(kind, slug), kind)["token_ids"].drop_nulls().list.len().mean()
    return None if mean is None else float(str(mean))


def finished(study: Study, here: bool) -> Finished:
    """Requests that are wanted and finished, as far as this machine knows.

    Of this folder's study DVC says which stages are done; of others, stores and previous outputs
    alone say what is answered. Where a model was never asked anything here, nothing is finished.
    """
    if here and DVC_FILE.is_file():  # a probe's folder has none
        try:
            return {
                (line.stage, line.kind): (
                    Counted(line.wanted, ALL if line.wanted is None else line.wanted)
                    if line.state == UP_TO_DATE
                    else Counted(line.wanted, line.finished)
                )
                for line in status(study)
                if line.kind
            }
        except RunError:
            pass
    everything = frozenset(stages.full_name(*one) for one in stages.instances(study))
    return _counted(study, Counts(study, everything))


def _counted(study: Study, counts: Counts) -> Finished:
    scorer = paths.completion_store(f"scores-{study.ground.scorer}").exists()
    known: dict[tuple[str, str], Counted] = {}
    for slug in study.models.probe:
        asked = paths.completion_store(slug).exists()
        for stage, kinds in GENERATED.items():
            name = stages.full_name(stage, slug)
            before = asked or previous.recorded(name)
            for kind in kinds:
                counted = counts.generated(slug, kind)
                known[name, kind.replace("_", " ")] = _or_none(counted, before)
        name = stages.full_name("ground", slug)
        known[name, "likelihoods"] = _or_none(counts.likelihoods(slug), scorer)
        name = stages.full_name("classify", slug)
        for judge in study.classify.judges:
            if judge != LIKELIHOOD:
                store = paths.completion_store(f"judge-{judge}")
                before = store.exists() or previous.recorded(name)
                known[name, f"judge {judge}"] = _or_none(counts.judged(slug, judge), before)
    known["calibrate", "likelihoods"] = _or_none(counts.calibration(), scorer)
    return known


def _or_none(counted: Counted, asked_before: bool) -> Counted:
    """What was counted; where nobody can count and nothing was ever asked, none is finished."""
    if counted.finished is not None or asked_before:
        return counted
    return Counted(counted.wanted, 0)

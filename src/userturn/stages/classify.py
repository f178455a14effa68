"""Labels: every judge of the study reads every user turn of a model."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from typing import Any

from userturn import artifacts
from userturn.artifacts.turns import read_turns
from userturn.base import paths
from userturn.base.errors import ArtifactError
from userturn.judges.likelihood import calibration
from userturn.judges.likelihood import rules as likelihood
from userturn.judges.likelihood.calibration import Calibration
from userturn.judges.likelihood.evidence import MEASURES, Evidence
from userturn.judges.llm import ask
from userturn.judges.llm import reply as llm
from userturn.study.classify import FITTED_CALIBRATION, LikelihoodThresholds
from userturn.study.judges import LIKELIHOOD
from userturn.study.slices import slice_of
from userturn.study.study import Study

Row = dict[str, Any]


def run(study: Study, slug: str) -> None:
    """Stage `classify@<slug>`: label the user turns of one model.

    Reads prompts, answers, user turns, controls and grounding; writes
    `data/labels/<slug>.parquet`, one row per turn and judge.

    Raises:
        ArtifactError: An artifact is missing, corrupt, or from another study.
        EngineError: An LLM judge cannot be reached or breaks; what it replied stays stored.
        JudgeError: An LLM judge has reached its cost ceiling; what it replied stays stored.
    """
    stage = f"classify@{slug}"
    turns = read_turns(study, slug)
    rows: list[Row] = []
    facts: dict[str, Any] = {}
    for judge in study.classify.judges:
        if judge == LIKELIHOOD:
            rows += by_likelihood(study, slug, turns)
            facts[judge] = fitted_on(study, slug)
        else:
            judged, facts[judge] = _by_llm(study, judge, stage, turns)
            rows += judged
    artifacts.write(
        paths.artifact("labels", slug),
        "labels",
        rows,
        artifacts.provenance(stage, slice_of(study, stage), judges=facts),
    )


def rubric_of(thresholds: LikelihoodThresholds, fitted: Calibration) -> str:
    """Hash (16 hexadecimal digits) of all numbers that decide; their origin does not change it."""
    chosen = thresholds.model_dump_json(exclude={"origin", "calibration"})
    canonical = chosen + fitted.model_dump_json(exclude={"origin"})
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def fitted_on(study: Study, slug: str) -> dict[str, Any]:
    """What the likelihood judge was fitted on, and whether that is what scored this model's turns.

    Likelihoods of another scorer have another scale: a message says so, and the mend.
    """
    origin = calibration.of_study(study).origin
    scorer = str(artifacts.read_provenance(paths.artifact("grounding", slug)).get("weights"))
    theirs = str(origin.get("scorer"))
    fits = theirs.rpartition("/")[0] == scorer.rpartition("/")[0]  # the number format may differ
    if not fits:
        print(
            f"classify@{slug}: {study.classify.likelihood.calibration} was fitted on likelihoods "
            f"of {theirs}, these are of {scorer}: the labels of the judge '{LIKELIHOOD}' are not "
            f"calibrated; set classify.likelihood.calibration to {FITTED_CALIBRATION}",
            file=sys.stderr,
        )
    return {"calibration": origin, "fits_scorer": fits}


def by_likelihood(study: Study, slug: str, turns: Sequence[Row]) -> list[Row]:
    """Rows of the likelihood judge, in the order of `turns`.

    Raises:
        ArtifactError: The measures are missing, corrupt, or lack a turn.
    """
    path = paths.artifact("grounding", slug)
    measures = {
        tuple(row[name] for name in artifacts.TURN_KEY): row
        for row in artifacts.read(path, "grounding").iter_rows(named=True)
    }
    thresholds, fitted = study.classify.likelihood, calibration.of_study(study)
    rubric = rubric_of(thresholds, fitted)
    rows: list[Row] = []
    for turn in turns:
        measured = measures.get(tuple(turn[name] for name in artifacts.TURN_KEY))
        if measured is None:
            identity = ", ".join(f"{name}={turn[name]}" for name in artifacts.TURN_KEY)
            raise ArtifactError(f"{path}: lacks the turn {identity}; run `dvc repro`")
        if turn["skipped"] is not None:
            label, invalid, reason = None, turn["skipped"], None
        else:
            label, invalid, reason = _likelihood(turn, measured, thresholds, fitted)
        rows.append(_row(turn, LIKELIHOOD, rubric, label=label, invalid=invalid, reason=reason))
    return rows


def _by_llm(
    study: Study, judge: str, stage: str, turns: Sequence[Row]
) -> tuple[list[Row], dict[str, Any]]:
    """Rows of an LLM judge, and facts about it for provenance."""
    entry = study.judge[judge]
    rubric = llm.read_rubric(entry.rubric)[1]
    items = [
        llm.Item(turn["query"], turn["shown"] or "", turn["text"] or "")
        if turn["skipped"] is None
        else None
        for turn in turns
    ]
    with ask.Asker(study, judge, stage) as asker:
        verdicts = asker.verdicts(filter(None, items))
        facts = asker.judge.describe()
    rows = []
    for turn, item in zip(turns, items, strict=True):
        found = verdicts[item] if item else ask.Verdict(invalid=turn["skipped"])
        rows.append(
            _row(
                turn,
                judge,
                rubric,
                label=found.label,
                invalid=found.invalid,
                reason=found.reason,
                evidence_turn=found.evidence_turn,
                evidence_answer=found.evidence_answer,
                request_ids=list(found.request_ids),
                responses=list(found.responses),
            )
        )
    # Only what can change a label: another address or concurrency leaves the bytes as they are.
    result_keys = entry.model_dump(include={"type", "rubric", "max_tokens"})
    return rows, {**result_keys, **facts}


def _row(turn: Row, judge: str, rubric: str, **found: Any) -> Row:
    """A row of artifacts.LABELS; columns that are not given are null."""
    key = {name: turn[name] for name in artifacts.TURN_KEY}
    return {**dict.fromkeys(artifacts.LABELS), **key, "judge": judge, "rubric": rubric, **found}


def _likelihood(
    turn: Row, measured: Row, thresholds: LikelihoodThresholds, fitted: Calibration
) -> tuple[str | None, str | None, str | None]:
    """Label, why there is none, and what gave it."""
    evidence = Evidence(
        text=turn["text"] or "",
        end=turn["end"],
        answer=turn["shown"] or "",
        **{name: measured[name] for name in MEASURES},
    )
    label, reason = likelihood.judge(evidence, thresholds, fitted)
    return (label, None, reason) if label else (None, reason, None)

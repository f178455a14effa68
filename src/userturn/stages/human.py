"""Stage `human`: the real next turns of one dataset, measured and judged as a model's turns are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from userturn.artifacts import files, provenance, schemas
from userturn.artifacts.prompts import has_system, read_prompts
from userturn.artifacts.turns import real_turns
from userturn.base import paths
from userturn.base.errors import StudyError
from userturn.judges import kinds
from userturn.judges.kinds import Row, Turns
from userturn.measures.measure import measure_all
from userturn.measures.scorer import Scorer
from userturn.models import weights
from userturn.stages.ground import measurable
from userturn.study.slices import slice_of
from userturn.study.study import Study


def run(study: Study, dataset: str) -> None:
    """Stage `human@<dataset>`: write `data/next_turns/<dataset>.parquet`, a row per judge.

    Raises:
        StudyError: The dataset has no real next turn.
        EngineError: The scorer cannot be loaded, or an LLM judge breaks.
        JudgeError: An LLM judge has reached its cost ceiling; what it replied stays stored.
    """
    stage = f"human@{dataset}"
    turns = real_turns(read_prompts([dataset]).iter_rows(named=True))
    if not turns:
        raise StudyError(
            f"prompts.human: no prompt of '{dataset}' has both a `reference_answer` and the "
            "`next_turn` of the user behind it; take the dataset off that list"
        )
    with Scorer(study, stage, system=has_system(turns)) as scorer:
        known = [measurable(turn, scorer.chat) for turn in turns]
        measured = {one.key: row for one, row in measure_all(study, known, scorer, stage)}
        described = scorer.describe()
    scored_by = weights.identity(study, study.ground.scorer)
    asked = Turns(turns, [measured[one.key] for one in known], scored_by)
    rows: list[Row] = []
    facts: dict[str, Any] = {}
    for judge in study.classify.judges:
        labelled, facts[judge] = kinds.judge_of(study, judge)(study, judge, stage, asked)
        rows += map(_row, labelled, asked.measures)
    made_by = provenance.of(
        stage,
        slice_of(study, stage),
        weights=scored_by,
        chat_template=scorer.chat.template_hash,
        engine=described,
        judges=facts,
    )
    files.write(paths.artifact("next_turns", dataset), "next_turns", rows, made_by)


def _row(labelled: Row, measures: Mapping[str, Any]) -> Row:
    """A row of schemas.NEXT_TURNS: a turn by its prompt alone, its label and its measures."""
    return {name: labelled[name] for name in schemas.NEXT_TURNS} | dict(measures)

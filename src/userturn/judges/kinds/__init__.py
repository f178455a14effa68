"""Kinds of judge, one module each: how a judge labels turns. A module defines JUDGE."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from userturn.artifacts import schemas
from userturn.base import registry
from userturn.study.judges import LIKELIHOOD
from userturn.study.study import Study

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Turns:
    """What judges read.

    Attributes:
        rows: User turns as `artifacts.turns.compared` reads them: with query, and the `answer` that
            they are judged against.
        measures: The row of kind `grounding` of each.
        scorer: Identity of the weights that gave the likelihoods.
    """

    rows: Sequence[Row]
    measures: Sequence[Mapping[str, Any]]
    scorer: str


Judge = Callable[[Study, str, str, Turns], tuple[list[Row], Row]]
"""From the study, the judge's slug, the name of the stage, and turns, to rows of schemas.LABELS in
their order, and facts about the judge for provenance.

Raises EngineError where a model cannot be reached or breaks, JudgeError where a cost ceiling is
reached; what was replied stays stored.
"""


def judge_of(study: Study, slug: str) -> Judge:
    """What labels turns for a judge of the study: `likelihood`, or a slug of its registry."""
    kind = LIKELIHOOD if slug == LIKELIHOOD else study.judge[slug].type
    judge: Judge = registry.load("judges.kinds", kind, "JUDGE")
    return judge


def label_row(turn: Mapping[str, Any], judge: str, rubric: str, **columns: Any) -> Row:
    """A row of schemas.LABELS; columns that are not given are null.

    Args:
        turn: A row of `Turns.rows`.
        judge: Slug of the judge.
        rubric: Hash of all that decides its labels.
        columns: `label`, or `invalid` with why there is none; `reason`, `probability`, and what
            else there is.
    """
    key = {name: turn[name] for name in schemas.AGAINST_KEY}
    empty = dict.fromkeys(schemas.LABELS)
    return {**empty, **key, "judge": judge, "rubric": rubric, **columns}

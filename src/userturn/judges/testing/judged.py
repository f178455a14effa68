"""Any judge over gold turns, by the code of stage `classify`, and what that cost."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from userturn.artifacts import schemas
from userturn.base import paths
from userturn.base.errors import UserturnError
from userturn.judges import kinds
from userturn.judges.kinds import Row, Turns
from userturn.judges.llm.ledger import Ledger
from userturn.judges.testing.gold import GoldTurn
from userturn.measures.measurable import Measurable
from userturn.measures.measure import measure_all
from userturn.measures.scorer import Scorer
from userturn.models import weights
from userturn.store.database import Store
from userturn.store.kinds import LIKELIHOODS, REPLIES, Kind
from userturn.study.judges import LIKELIHOOD, LocalJudge, ServerJudge
from userturn.study.study import Study

STAGE = "judge-test"
"""Name in messages; no stage of the graph, so nothing is taken from previous outputs."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What it took to have turns judged.

    Attributes:
        turns: Different turns.
        seconds: Wall clock, the loading of models included.
        sent: Replies, or for the likelihood judge likelihoods, that the store did not have.
        tokens: Tokens that a server charged, read and written; None where nobody counts them.
    """

    turns: int
    seconds: float
    sent: int
    tokens: int | None


def check(study: Study, judge: str) -> None:
    """Refuse a judge that nobody configured. Raises UserturnError."""
    known = [LIKELIHOOD, *study.judge]
    if judge not in known:
        raise UserturnError(
            f"unknown judge '{judge}'; judges of registry.yaml and of this package: "
            f"{', '.join(known)}"
        )


def label(study: Study, judge: str, turns: Sequence[GoldTurn]) -> tuple[list[Row], Cost]:
    """Rows of schemas.LABELS in the order of the turns, and what they cost.

    Raises:
        EngineError: A model cannot be reached or breaks; what was replied is stored.
        JudgeError: A cost ceiling is reached; what was replied is stored.
        ArtifactError: The calibration of the likelihood judge is missing or is none.
    """
    start, kept, charged = time.monotonic(), _kept(study, judge), _charged(study, judge)
    entry = study.judge.get(judge)
    measures: list[Row] = []
    scorer = ""
    if not isinstance(entry, LocalJudge | ServerJudge):  # those read the texts alone
        measures, scorer = measured(study, turns)
    shown = Turns([_row(turn, at) for at, turn in enumerate(turns)], measures, scorer)
    rows, _ = kinds.judge_of(study, judge)(study, judge, STAGE, shown)
    spent = _charged(study, judge)
    cost = Cost(
        turns=requests(turns),
        seconds=time.monotonic() - start,
        sent=_kept(study, judge) - kept,
        tokens=None if spent is None else spent - (charged or 0),
    )
    return rows, cost


def requests(turns: Iterable[GoldTurn]) -> int:
    """Different turns with text: what a judge is asked about, once or, where it errs, twice."""
    return len({(one.query, one.answer, one.text) for one in turns if one.text.strip()})


def measured(study: Study, turns: Sequence[GoldTurn]) -> tuple[list[Row], str]:
    """Columns of `schemas.measured` of each turn, as stage `ground` makes them; and whose they are.

    A turn is measured against the answer that its context showed.

    Raises:
        EngineError: The scorer cannot be loaded.
    """
    with Scorer(study, STAGE) as scorer:
        made = [
            Measurable(
                _key(turn, at),
                turn.query,
                turn.answer,
                turn.text,
                tuple(scorer.chat.encode_turn(turn.text)) if turn.text.strip() else (),
            )
            for at, turn in enumerate(turns)
        ]
        rows = {one.key: columns for one, columns in measure_all(study, made, scorer, STAGE)}
    return [rows[one.key] for one in made], weights.identity(study, study.ground.scorer)


def _key(turn: GoldTurn, at: int) -> tuple[Any, ...]:
    """Values of schemas.AGAINST_KEY; the place stands for the sample, so no two are the same."""
    return (*turn.prompt, turn.condition, turn.temperature or 0.0, at, schemas.SHOWN)


def _row(turn: GoldTurn, at: int) -> Row:
    """A turn as `artifacts.turns.compared` reads it."""
    return {
        **dict(zip(schemas.AGAINST_KEY, _key(turn, at), strict=True)),
        "earlier": (),
        "query": turn.query,
        "answer": turn.answer,
        "text": turn.text,
        "end": turn.end,
        "skipped": None,
    }


def _kept(study: Study, judge: str) -> int:
    """How many replies of a judge, or likelihoods of the scorer, the store has."""
    if judge == LIKELIHOOD:
        return _count(f"scores-{study.ground.scorer}", LIKELIHOODS)
    return _count(f"judge-{judge}", REPLIES)


def _count(slug: str, kind: Kind[Any]) -> int:
    path = paths.completion_store(slug)
    if not path.exists():
        return 0
    with Store(path, kind) as store:
        return len(store)


def _charged(study: Study, judge: str) -> int | None:
    """Tokens that a server has charged so far; None for a judge that is behind none."""
    if not isinstance(study.judge.get(judge), ServerJudge):
        return None
    path = paths.completion_store(f"judge-{judge}-charges")
    with closing(Ledger(path, 0)) as ledger:
        return ledger.spent

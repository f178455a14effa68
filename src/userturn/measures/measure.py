"""From turns to their measures: the plan is scored, and every measure worked out."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from userturn.artifacts import schemas
from userturn.measures import kinds
from userturn.measures.kinds import LogP, mean
from userturn.measures.measurable import Measurable
from userturn.measures.plan import Plan, plan
from userturn.measures.scorer import Scorer
from userturn.study.study import Study

DIGITS = 3
"""Decimals of a log-probability that are kept, of which all measures are worked out: fewer than
differ between machines."""


def measure_all(
    study: Study, turns: Sequence[Measurable], scorer: Scorer, stage: str
) -> Iterator[tuple[Measurable, dict[str, Any]]]:
    """Plan and score turns, and work out the columns of `schemas.measured` for each.

    Args:
        study: The study.
        turns: Turns of every condition.
        scorer: The scorer model.
        stage: Stage name, for the message about contexts that are too long.
    """
    layout = plan(turns, scorer.chat, study.generate.context, study.ground, scorer.max_model_len)
    if layout.too_long:
        print(
            f"{stage}: {len(layout.too_long)} of {len(turns)} turns have a context longer "
            f"than the scorer '{study.ground.scorer}' takes and get no likelihoods",
            file=sys.stderr,
        )
    if layout.refused:
        print(
            f"{stage}: {len(layout.refused)} of {len(turns)} turns have a conversation that the "
            f"chat template of the scorer '{study.ground.scorer}' does not carry as it is, and "
            "get no likelihoods",
            file=sys.stderr,
        )
    for turn in (*layout.unscored, *layout.too_long, *layout.refused):
        yield turn, columns(turn)
    for turn, log_p in measure(layout, scorer):
        yield turn, columns(turn, log_p, scorer.chat.pieces(turn.tokens))


def measure(layout: Plan, scorer: Scorer) -> Iterator[tuple[Measurable, LogP]]:
    """Score a plan: of each turn the log-probabilities of its tokens, by context."""
    asked = [one for group in layout.groups for one in group.asked]
    answers = scorer.score([one.request for one in asked])
    for group in layout.groups:
        scores = {k: v for one in group.asked for k, v in one.read(next(answers))}
        for turn in group.turns:
            yield (
                turn,
                {
                    name: _mean([scores[one, turn.tokens] for one in conversations])
                    for name, conversations in group.layout.items()
                },
            )


def columns(
    turn: Measurable, log_p: LogP | None = None, pieces: Sequence[str] | None = None
) -> dict[str, Any]:
    """The columns of `schemas.measured`; without likelihoods the measures of the text remain.

    Args:
        turn: The turn.
        log_p: Log-probabilities of its tokens, by context.
        pieces: Text of each of its tokens.
    """
    behind: Mapping[str, Sequence[float]] = log_p or {}
    values = {
        name: measure.value(turn, behind)
        if turn.text.strip() and all(one in behind for one in measure.contexts)
        else None
        for name, measure in kinds.load_all().items()
    }
    tokens = {schemas.tokens_column(name): given for name, given in behind.items()}
    return {
        **dict.fromkeys(schemas.measured()),
        "tokens": len(turn.tokens),
        "token_texts": None if pieces is None else list(pieces),
        **tokens,
        **values,
    }


def _mean(behind: Sequence[Sequence[float]]) -> list[float]:
    """Mean over conversations of each token's log-probability, rounded."""
    return [round(mean(of_token), DIGITS) for of_token in zip(*behind, strict=True)]

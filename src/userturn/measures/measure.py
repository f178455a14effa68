"""From turns to their measures: the plan is scored, and every measure worked out."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from userturn.artifacts import schemas
from userturn.measures import contexts, kinds
from userturn.measures.kinds import LogP, total
from userturn.measures.measurable import Measurable
from userturn.measures.plan import Plan, plan
from userturn.measures.scorer import Scorer
from userturn.study.study import Study


def measure_all(
    study: Study, turns: Sequence[Measurable], scorer: Scorer, stage: str
) -> Iterator[tuple[Measurable, LogP]]:
    """Plan and score turns; nothing stands beside those without likelihoods.

    Args:
        study: The study.
        turns: Turns of every condition.
        scorer: The scorer model.
        stage: Stage name, for the message about contexts that are too long.
    """
    layout = plan(
        turns,
        scorer.chat,
        study.generate.context,
        study.ground,
        study.seed,
        scorer.max_model_len,
    )
    if layout.too_long:
        print(
            f"{stage}: {len(layout.too_long)} of {len(turns)} turns have a context longer "
            f"than the scorer '{study.ground.scorer}' takes and get no likelihoods",
            file=sys.stderr,
        )
    yield from ((turn, {}) for turn in (*layout.unscored, *layout.too_long))
    yield from measure(layout, scorer)


def measure(layout: Plan, scorer: Scorer) -> Iterator[tuple[Measurable, LogP]]:
    """Score a plan, and put together what each turn's measures are made of."""
    asked = [one for group in layout.groups for one in group.asked]
    asked += [one for visits in layout.visits.values() for one in visits]
    answers = scorer.score([one.request for one in asked])
    scores = {k: v for one in asked for k, v in one.read(next(answers))}
    for group in layout.groups:
        for turn in group.turns:
            yield (
                turn,
                {
                    name: [scores[one, turn.tokens] for one in conversations]
                    for name, conversations in group.layout.items()
                },
            )


def row(turn: Measurable, log_p: LogP) -> dict[str, Any]:
    """One row of kind `grounding`; without likelihoods the measures of the text remain."""
    sums = {
        schemas.sum_column(name): total(log_p[name]) if log_p.get(name) else None
        for name in contexts.load_all()
    }
    values = {
        name: measure.value(turn, log_p)
        if turn.text.strip() and all(log_p.get(one) for one in measure.contexts)
        else None
        for name, measure in kinds.load_all().items()
    }
    key = dict(zip(schemas.TURN_KEY, turn.key, strict=True))
    return {**key, "tokens": len(turn.tokens), **sums, **values}

"""Jobs `likelihoods`: the scorer reads every turn behind every context (measures/contexts)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from userturn.workflow.counts import QA, conversations
from userturn.workflow.plan.cost import Load
from userturn.workflow.plan.jobs._compared import answers, comparisons
from userturn.workflow.plan.setting import Job, Setting

HEADER_TOKENS = 4
"""Of the header in front of a turn, read again with it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Turns that are scored, with the mean lengths of what stands in front of them.

    Attributes:
        turns: How many, counted once per answer that they are compared with.
        answers: Different pairs of query and answer.
        query: Tokens of a query.
        answer: Tokens of an answer.
        turn: Tokens of a turn.
    """

    turns: int
    answers: int
    query: float
    answer: float
    turn: float


def jobs(setting: Setting) -> Iterator[Job]:
    """One job per probed model, on the scorer."""
    study = setting.study
    for slug in study.models.probe:
        length = setting.lengths[slug]
        asked = Asked(
            setting.count * comparisons(study),
            setting.count * answers(study),
            setting.query_tokens / max(1, setting.count),
            length.answer,
            length.turn,
        )
        scored = load(setting, asked)
        yield Job(f"ground@{slug}", "likelihoods", slug, study.ground.scorer, scored, scores=True)


def load(setting: Setting, asked: Asked) -> Load:
    """Tokens that the scorer reads: a context once, and behind it each of its turns."""
    behind_which = conversations(setting.study)
    exchanges = {(one.query is not None, one.answer) for one in behind_which}
    front = sum((_tokens(setting, asked, *one) for one in exchanges), 0.0)
    pairs = asked.turns * len(behind_which)
    behind = pairs * (asked.turn + HEADER_TOKENS)
    read = asked.answers * front + behind
    return Load(requests=pairs, tokens_in=read, tokens_read=read)


def _tokens(setting: Setting, asked: Asked, query: bool, answer: str | None) -> float:
    """Tokens of what stands in front of a turn."""
    assumed = setting.assumed
    tokens = assumed.template_tokens
    if query:
        tokens += asked.query
    if answer == QA[1]:
        tokens += asked.answer
    elif answer is not None:
        tokens += len(answer) / assumed.characters_per_token
    return tokens


JOBS = jobs

"""What a model expects the user to say: the likelihood of the real next turn.

`mean_t log p(u_t | c, a, u_<t)`, nats per token, for the real next turn `u` behind its conversation
`c` and the answer `a` that it followed, and the same with another prompt's answer in the place of
`a`. The difference is what this answer, rather than any answer, makes the model expect. Higher is
likelier; both are at most 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from userturn.artifacts import messages
from userturn.artifacts.schemas import PROMPT_KEY
from userturn.artifacts.turns import real_turns
from userturn.base.errors import TemplateError
from userturn.chat.chat import Chat, Mode
from userturn.engines.base import ScoreRequest
from userturn.measures.kinds import mean
from userturn.measures.measure import DIGITS
from userturn.measures.scorer import Scorer
from userturn.models import weights
from userturn.turns.controls import NO_OTHER_PROMPT, swaps

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One real next turn.

    Attributes:
        place: Dataset and item of its prompt.
        requests: It behind its own answer, and behind another's; none where it is skipped.
        skipped: Why it is, or None.
    """

    place: tuple[str, str]
    requests: tuple[ScoreRequest, ...]
    skipped: str | None


def cases(items: Sequence[Row], chat: Chat, mode: Mode, limit: int | None, seed: int) -> list[Case]:
    """What is asked about the prompts of one dataset that have a real next turn.

    Args:
        items: Rows of kind `prompts`.
        chat: The model's templates.
        mode: `generate.context` of the study.
        limit: Longest sequence that it takes, in tokens; None: no limit.
        seed: Of the study; it says whose answer stands in the place of whose, as under `swap`.
    """
    answers = [
        {**{name: item[name] for name in PROMPT_KEY}, "text": item["reference_answer"]}
        for item in items
    ]
    others = swaps(answers, seed)
    by_place = {(item["dataset"], item["item"]): item for item in items}
    places = [(turn["dataset"], turn["item"]) for turn in real_turns(items)]
    return [_case(by_place[one], others.get(one), chat, mode, limit) for one in places]


def expectations(every: Sequence[Case], scorer: Scorer) -> Iterator[dict[str, Any]]:
    """Rows of kind `expected`: each case scored."""
    scores = scorer.score([request for case in every for request in case.requests])
    for case in every:
        tokens = [[round(one, DIGITS) for one in next(scores)[0]] for _ in case.requests]
        own, other = tokens or ([], [])
        yield {
            **dict(zip(PROMPT_KEY, case.place, strict=True)),
            "log_p": own or None,
            "log_p_other": other or None,
            "tokens": len(own),
            "own": mean(own) if own else None,
            "other": mean(other) if other else None,
            "skipped": case.skipped,
        }


def _case(item: Row, other: Row | None, chat: Chat, mode: Mode, limit: int | None) -> Case:
    place = item["dataset"], item["item"]
    target = chat.encode_turn(item["next_turn"])
    if not item["next_turn"].strip() or not target:
        return Case(place, (), "the real next turn is empty")
    if other is None:
        return Case(place, (), NO_OTHER_PROMPT)
    query = messages.asked(item)
    try:
        contexts = [
            chat.user_context(query, answer, mode)
            for answer in (item["reference_answer"], other["text"])
        ]
    except TemplateError as error:  # of these texts alone: `self_check` passed
        return Case(place, (), str(error))
    longest = max(map(len, contexts))
    if limit is not None and (reason := weights.too_long(longest, len(target), limit)):
        return Case(place, (), reason)
    return Case(place, tuple(ScoreRequest(one, (tuple(target),)) for one in contexts), None)

"""Likelihood measures of user turns: how much they owe to this answer, and in whose voice they are.

For a user turn `u` of `|u|` tokens behind query `q` and answer `a`, with a scorer language model:

- grounding   `G = [log p(u | q, a) - mean_k log p(u | q, a'_k)] / |u|`, nats per token
- role voice  `V = [log p(u | q, a, user header) - log p(u | q, a, assistant header)] / |u|`,
  nats per token
- relevance   `C = log p(u | q, a) - mean_k log p(u | q'_k, a'_k)`, nats per turn

`C` weighs this conversation against others of the same dataset, `G` this answer against others to
the same query. `C` is a sum, the logarithm of a likelihood ratio, because a longer turn is more
evidence; on real follow-ups it finds them better than its mean per token (benchmarks/README.md).

The `a'_k` of `G` are answers to other prompts of the same dataset, so that subject and
form alone earn no grounding, and they carry the same perturbation as `a`, so that a turn which
reacts to the perturbation alone (the appended question, say) earns none either. Under `swap` the
context showed another prompt's answer, but `a` is the prompt's own: `G` falls to about 0 if turns
depend on the answer they were shown. `echo` is always the overlap with the answer that was shown.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from userturn import artifacts
from userturn.artifacts import BASE
from userturn.base.progress import progress
from userturn.chat.roles import Chat, Mode
from userturn.engines.base import ScoreRequest
from userturn.measures import overlap
from userturn.measures.scorer import Scorer
from userturn.study.classify import Ground
from userturn.study.study import Study

Row = Mapping[str, Any]
Key = tuple[str, str]
"""Dataset and item."""
Scores = Sequence[Sequence[float]]
"""Natural-log probabilities per target and token of one request."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One user turn to measure.

    Attributes:
        key: Values of artifacts.TURN_KEY.
        query: The prompt.
        shown: The answer that its context showed.
        own: The answer that grounding is measured against: `shown`, but under `swap` the prompt's.
        text: The user turn.
        tokens: Its ids for the scorer; empty where there is nothing to score.
    """

    key: tuple[Any, ...]
    query: str
    shown: str
    own: str
    text: str
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Turns behind one query and answer, and the requests that score all of them.

    Attributes:
        turns: The turns, one or more.
        targets: Their distinct token sequences.
        own: Scores every target behind the user header, then every target behind the assistant
            header; the headers are part of its targets, so the context runs once for both.
        swapped: One request per swapped answer; scores every target behind the user header.
        elsewhere: Prompts behind whose conversations the targets are scored, for relevance.
    """

    turns: tuple[Turn, ...]
    targets: tuple[tuple[int, ...], ...]
    own: ScoreRequest
    swapped: tuple[ScoreRequest, ...]
    elsewhere: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything to score, and the turns that are left without likelihoods.

    Attributes:
        groups: Groups to score, in the lexical order of their contexts.
        elsewhere: By prompt, what scores the turns of other prompts behind its conversation.
        unscored: Turns with nothing to score.
        too_long: Turns whose contexts do not fit the scorer.
    """

    groups: tuple[Group, ...]
    elsewhere: Mapping[Key, ScoreRequest]
    unscored: tuple[Turn, ...]
    too_long: tuple[Turn, ...]

    @property
    def requests(self) -> list[ScoreRequest]:
        """Every request."""
        of_groups = (request for group in self.groups for request in (group.own, *group.swapped))
        return [*of_groups, *self.elsewhere.values()]


@dataclass(frozen=True, slots=True)
class Likelihoods:
    """Log-probabilities of one turn, in nats.

    `swapped` is null where there was no other answer, `elsewhere` where no other conversation.
    """

    tokens: int
    own: float
    swapped: float | None
    assistant: float
    elsewhere: float | None

    @property
    def grounding(self) -> float | None:
        """`G`, in nats per token."""
        return None if self.swapped is None else (self.own - self.swapped) / self.tokens

    @property
    def role_voice(self) -> float:
        """`V`, in nats per token."""
        return (self.own - self.assistant) / self.tokens

    @property
    def relevance(self) -> float | None:
        """`C`, in nats."""
        return None if self.elsewhere is None else self.own - self.elsewhere


class Ring:
    """Answers to all prompts under one condition, in a seeded circle per dataset.

    The swapped answers of a prompt are those that follow its own on the circle, so every answer is
    swapped in equally often, and every condition of a prompt meets the same other prompts. Where a
    dataset has too few, other datasets fill up.

    Args:
        answers: Answers by prompt.
        seed: Seed of the study.
    """

    def __init__(self, answers: Mapping[Key, str], seed: int) -> None:
        self._answers = answers

        def rank(key: Key) -> tuple[str, bytes]:
            return key[0], hashlib.sha256(json.dumps([seed, *key]).encode()).digest()

        self._order = sorted(answers, key=rank)
        self._place = {key: place for place, key in enumerate(self._order)}

    def others(self, key: Key, exclude: Iterable[str]) -> Iterator[Key]:
        """Other prompts in the order in which theirs stand in for this prompt's answer.

        Args:
            key: The prompt.
            exclude: Answers whose prompts are left out, such as the answer itself.
        """
        place = self._place.get(key, -1)
        order = self._order[place + 1 :] + self._order[: max(place, 0)]
        near = (other for other in order if other[0] == key[0])
        far = (other for other in order if other[0] != key[0])
        banned = set(exclude)
        return (other for other in chain(near, far) if self._answers[other] not in banned)

    def swapped(self, key: Key, swaps: int, exclude: Iterable[str]) -> list[str]:
        """Answers of `swaps` other prompts; fewer where there are no more."""
        return [self._answers[other] for other in islice(self.others(key, exclude), swaps)]


def plan(
    turns: Sequence[Turn],
    chat: Chat,
    mode: Mode,
    ground: Ground,
    seed: int,
    limit: int | None,
) -> Plan:
    """Group turns by query and answer, and lay out what to score.

    Args:
        turns: Turns of every condition.
        chat: The scorer's chat template.
        mode: `generate.context` of the study.
        ground: How many answers and conversations of other prompts to compare with.
        seed: Seed of the study.
        limit: Longest sequence that the scorer takes, in tokens; None: no limit.
    """
    pools: dict[str, dict[Key, str]] = defaultdict(dict)
    members: dict[tuple[Any, ...], list[Turn]] = defaultdict(list)
    queries: dict[Key, str] = {}
    unscored: list[Turn] = []
    for turn in turns:
        dataset, item, condition = turn.key[:3]
        queries[dataset, item] = turn.query
        pool = pools[condition]  # under `swap` the own answers are those of `base`, so is the pool
        if turn.own.strip():
            pool.setdefault((dataset, item), turn.own)
        if turn.tokens:
            members[dataset, item, condition, turn.own, turn.shown].append(turn)
        else:
            unscored.append(turn)
    rings = {condition: Ring(pool, seed) for condition, pool in pools.items()}
    conversations = {
        key: chat.user_context(queries[key], answer, mode) for key, answer in pools[BASE].items()
    }
    groups: list[Group] = []
    too_long: list[Turn] = []
    moved: dict[Key, dict[tuple[int, ...], None]] = defaultdict(dict)  # an ordered set each
    for (dataset, item, condition, own, shown), mates in members.items():
        key, unlike = (dataset, item), (own, shown)
        others = rings[condition].swapped(key, ground.swaps, unlike)
        group = _group(mates, chat, mode, others)
        longest = max(
            len(request.context) + max(map(len, request.targets))
            for request in (group.own, *group.swapped)
        )
        if limit is not None and longest > limit:
            too_long += mates
            continue
        room = math.inf if limit is None else limit - max(map(len, group.targets))
        fitting = (
            other
            for other in (rings[BASE].others(key, unlike) if BASE in rings else ())
            if len(conversations[other]) <= room and queries[other] != mates[0].query
        )
        group = replace(group, elsewhere=tuple(islice(fitting, ground.others)))
        for other in group.elsewhere:
            moved[other].update(dict.fromkeys(group.targets))
        groups.append(group)
    # An engine runs contexts in lexical order, so that order gives the earliest results.
    groups.sort(key=lambda group: group.own.context)
    elsewhere = {key: ScoreRequest(conversations[key], tuple(moved[key])) for key in moved}
    return Plan(tuple(groups), elsewhere, tuple(unscored), tuple(too_long))


def measure(
    layout: Plan, scorer: Scorer, advance: Callable[[int], None] = lambda _: None
) -> list[tuple[Turn, Likelihoods]]:
    """Score a plan, prompt by prompt.

    The contexts of one prompt go to the scorer together, because they share the query and often
    the answer in front, which it then runs once.

    Args:
        layout: What to score.
        scorer: The scorer model.
        advance: Called after each group with the number of tokens in its targets.
    """
    of_prompt: dict[Key, list[Group]] = {key: [] for key in sorted(layout.elsewhere)}
    for group in layout.groups:
        of_prompt.setdefault(group.turns[0].key[:2], []).append(group)
    moved: dict[tuple[Key, tuple[int, ...]], float] = {}
    found: list[tuple[Group, Scores, list[Scores]]] = []
    for key, groups in of_prompt.items():
        requests = [request for group in groups for request in (group.own, *group.swapped)]
        elsewhere = layout.elsewhere.get(key)
        answers = scorer.score([*requests, elsewhere] if elsewhere else requests)
        for group in groups:
            own = next(answers)
            found.append((group, own, [next(answers) for _ in group.swapped]))
            advance(sum(map(len, group.targets)))
        if elsewhere:
            for target, scores in zip(elsewhere.targets, next(answers), strict=True):
                moved[key, target] = math.fsum(scores)
    return [pair for group, own, swapped in found for pair in _sums(group, own, swapped, moved)]


def measure_all(
    study: Study, turns: Sequence[Turn], scorer: Scorer, stage: str
) -> Iterator[tuple[Turn, Likelihoods | None]]:
    """Plan and score turns under a progress bar; None stands beside those without likelihoods.

    Args:
        study: The study.
        turns: Turns of every condition.
        scorer: The scorer model.
        stage: Stage name, for the bar and the message about contexts that are too long.
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
    yield from ((turn, None) for turn in (*layout.unscored, *layout.too_long))
    with progress(f"{stage}: answers", len(layout.groups), "answers") as advance:
        yield from measure(layout, scorer, advance)


def _sums(
    group: Group,
    own: Scores,
    swapped: Sequence[Scores],
    moved: Mapping[tuple[Key, tuple[int, ...]], float],
) -> Iterator[tuple[Turn, Likelihoods]]:
    """Log-probabilities of a group's turns, summed over their tokens."""
    count = len(group.targets)
    by_target = {}
    for index, target in enumerate(group.targets):
        size = len(target)
        by_target[target] = Likelihoods(
            tokens=size,
            own=math.fsum(own[index][-size:]),
            swapped=_mean([math.fsum(scores[index][-size:]) for scores in swapped]),
            assistant=math.fsum(own[count + index][-size:]),
            elsewhere=_mean([moved[other, target] for other in group.elsewhere]),
        )
    return ((turn, by_target[turn.tokens]) for turn in group.turns)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def row(turn: Turn, measured: Likelihoods | None) -> dict[str, Any]:
    """One row of artifacts.GROUNDING; without likelihoods the measures of the text remain."""
    text = turn.text if turn.text.strip() else None
    return {
        **dict(zip(artifacts.TURN_KEY, turn.key, strict=True)),
        "tokens": len(turn.tokens),
        "log_p": measured.own if measured else None,
        "log_p_swapped": measured.swapped if measured else None,
        "log_p_assistant": measured.assistant if measured else None,
        "log_p_elsewhere": measured.elsewhere if measured else None,
        "grounding": measured.grounding if measured else None,
        "role_voice": measured.role_voice if measured else None,
        "relevance": measured.relevance if measured else None,
        "restatement": overlap.restatement(text, turn.query) if text else None,
        "echo": overlap.echo(text, turn.shown) if text else None,
        "loop": overlap.loop(text) if text else None,
    }


def _group(turns: Sequence[Turn], chat: Chat, mode: Mode, others: Sequence[str]) -> Group:
    """Requests for turns that share query and answer."""
    query, answer = turns[0].query, turns[0].own
    targets = tuple(dict.fromkeys(turn.tokens for turn in turns))
    user = chat.user_context(query, answer, mode)
    assistant = chat.assistant_context(query, answer, mode)
    # Both headers go into the targets, but one token has to stay in front of them.
    most = min(len(user), len(assistant)) - 1
    shared = next((at for at in range(most) if user[at] != assistant[at]), most)
    assert shared > 0, "a chat template opens user and assistant contexts alike"
    own = ScoreRequest(
        user[:shared],
        tuple(user[shared:] + target for target in targets)
        + tuple(assistant[shared:] + target for target in targets),
    )
    swapped = tuple(
        ScoreRequest(chat.user_context(query, other, mode), targets) for other in others
    )
    return Group(tuple(turns), targets, own, swapped, elsewhere=())

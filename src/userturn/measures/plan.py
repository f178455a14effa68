"""What is scored, and behind what: the requests that measure all turns of a model."""

from __future__ import annotations

import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from userturn.chat.chat import Chat, Mode
from userturn.engines.base import ScoreRequest
from userturn.measures import contexts
from userturn.measures.contexts import Conversation, Scene
from userturn.measures.measurable import Key, Measurable, Target
from userturn.measures.pool import Pool
from userturn.study.classify import Ground

Render = Callable[[Conversation], Target]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: targets behind conversations that differ in nothing but their last header.

    The headers are part of the request's targets, so query and answer run once for all.

    Attributes:
        conversations: One or more.
        targets: Token ids of turns, each behind every conversation.
        request: What the scorer is asked.
    """

    conversations: tuple[Conversation, ...]
    targets: tuple[Target, ...]
    request: ScoreRequest

    def read(
        self, scores: Sequence[Sequence[float]]
    ) -> Iterator[tuple[tuple[Conversation, Target], Sequence[float]]]:
        """Log-probabilities of a target's own tokens, by conversation and target."""
        pairs = ((one, target) for one in self.conversations for target in self.targets)
        for (one, target), tokens in zip(pairs, scores, strict=True):
            yield (one, target), array.array("d", tokens[-len(target) :])


@dataclass(frozen=True, slots=True)
class Group:
    """Turns behind one query and answer.

    Attributes:
        turns: The turns, one or more.
        layout: Conversations by context.
        asked: Requests for the conversations of the turns' own prompt, `own` among the first.
    """

    turns: tuple[Measurable, ...]
    layout: Mapping[str, tuple[Conversation, ...]]
    asked: tuple[Asked, ...]

    @property
    def prompt(self) -> Key:
        """The prompt of the turns."""
        return self.turns[0].prompt


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything to score, and the turns that are left without likelihoods.

    Attributes:
        groups: Groups to score, in the lexical order of their contexts.
        visits: By prompt, what scores turns of other prompts behind its conversations.
        unscored: Turns with nothing to score.
        too_long: Turns whose contexts do not fit the scorer.
    """

    groups: tuple[Group, ...]
    visits: Mapping[Key, tuple[Asked, ...]]
    unscored: tuple[Measurable, ...]
    too_long: tuple[Measurable, ...]

    @property
    def requests(self) -> list[ScoreRequest]:
        """Every request."""
        of_groups = (asked for group in self.groups for asked in group.asked)
        return [asked.request for asked in chain(of_groups, *self.visits.values())]


def plan(
    turns: Sequence[Measurable],
    chat: Chat,
    mode: Mode,
    ground: Ground,
    seed: int,
    limit: int | None,
) -> Plan:
    """Group turns by query and answer, and lay out their contexts.

    Args:
        turns: Turns of every condition.
        chat: The scorer's chat template.
        mode: `generate.context` of the study.
        ground: How many answers and conversations of other prompts to compare with.
        seed: Seed of the study.
        limit: Longest sequence that the scorer takes, in tokens; None: no limit.
    """
    render = _renderer(chat, mode)
    others = _others(turns, seed)
    kinds = contexts.load_all()
    groups: list[Group] = []
    too_long: list[Measurable] = []
    visitors: dict[Conversation, dict[Target, None]] = defaultdict(dict)  # an ordered set each
    for mates in _mates(turn for turn in turns if turn.tokens):
        first = mates[0]
        targets = tuple(dict.fromkeys(turn.tokens for turn in mates))
        fits = partial(_fits, render, None if limit is None else limit - max(map(len, targets)))
        own = Conversation(first.prompt, first.query, first.own)
        scene = Scene(own, first.condition, ground, partial(others, first), fits)
        layout = {name: tuple(kind.lay_out(scene)) for name, kind in kinds.items()}
        laid_out = dict.fromkeys(chain.from_iterable(layout.values()))
        if not all(map(fits, laid_out)):
            too_long += mates
            continue
        home = [one for one in laid_out if one.prompt == first.prompt]
        groups.append(Group(mates, layout, tuple(_requests(home, targets, render))))
        for one in laid_out:
            if one.prompt != first.prompt:
                visitors[one].update(dict.fromkeys(targets))
    # An engine runs contexts in lexical order, so that order gives the earliest results.
    groups.sort(key=lambda group: group.asked[0].request.context)
    visits: dict[Key, tuple[Asked, ...]] = {}
    for one, guests in visitors.items():
        asked = _requests([one], tuple(guests), render)
        visits[one.prompt] = (*visits.get(one.prompt, ()), *asked)
    unscored = tuple(turn for turn in turns if not turn.tokens)
    return Plan(tuple(groups), visits, unscored, tuple(too_long))


def _mates(turns: Iterable[Measurable]) -> list[tuple[Measurable, ...]]:
    """Turns that share prompt, condition and answers."""
    members: dict[object, list[Measurable]] = defaultdict(list)
    for turn in turns:
        members[turn.prompt, turn.condition, turn.own, turn.shown].append(turn)
    return [tuple(mates) for mates in members.values()]


def _others(
    turns: Iterable[Measurable], seed: int
) -> Callable[[Measurable, str], Iterator[Conversation]]:
    """What gives the conversations of other prompts under a condition, see Scene."""
    answers: dict[str, dict[Key, str]] = defaultdict(dict)
    queries: dict[Key, str] = {}
    for turn in turns:
        queries[turn.prompt] = turn.query
        if turn.own.strip():  # under `swap` the own answers are those of `base`
            answers[turn.condition].setdefault(turn.prompt, turn.own)
    pools = {condition: Pool(texts, seed) for condition, texts in answers.items()}
    nobody = Pool({}, seed)

    def others(turn: Measurable, condition: str) -> Iterator[Conversation]:
        pool = pools.get(condition, nobody)
        for prompt, answer in pool.others(turn.prompt, (turn.own, turn.shown)):
            yield Conversation(prompt, queries[prompt], answer)

    return others


def _renderer(chat: Chat, mode: Mode) -> Render:
    """What gives the token ids of a conversation; each is rendered once."""
    rendered: dict[Conversation, Target] = {}

    def render(one: Conversation) -> Target:
        if one not in rendered:
            template = chat.user_context if one.role == "user" else chat.assistant_context
            rendered[one] = template(one.query, one.answer, mode)
        return rendered[one]

    return render


def _fits(render: Render, room: int | None, conversation: Conversation) -> bool:
    return room is None or len(render(conversation)) <= room


def _requests(
    conversations: Iterable[Conversation], targets: tuple[Target, ...], render: Render
) -> Iterator[Asked]:
    """One request per query and answer, whatever the header behind them."""
    exchanges: dict[tuple[str, str], list[Conversation]] = defaultdict(list)
    for one in conversations:
        exchanges[one.query, one.answer].append(one)
    for same in exchanges.values():
        rendered = [render(one) for one in same]
        shared = _shared(rendered)
        heads = [ids[shared:] for ids in rendered]
        request = ScoreRequest(
            rendered[0][:shared], tuple(head + target for head in heads for target in targets)
        )
        yield Asked(tuple(same), targets, request)


def _shared(rendered: Sequence[Target]) -> int:
    """Length of the part in front that contexts share: all of a single one.

    Of several, one token at least is left to each header's targets, and one stays in front of them.
    """
    if len(rendered) == 1:
        return len(rendered[0])
    most = min(map(len, rendered)) - 1
    shared = next((at for at in range(most) if len({ids[at] for ids in rendered}) > 1), most)
    assert shared > 0, "a chat template opens user and assistant contexts alike"
    return shared

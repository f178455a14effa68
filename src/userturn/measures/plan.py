"""What is scored, and behind what: the requests that measure all turns of a model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from userturn.artifacts.messages import Query
from userturn.base.errors import TemplateError
from userturn.chat.chat import Chat, Mode
from userturn.engines.base import ScoreRequest
from userturn.measures import contexts
from userturn.measures.contexts import Conversation, Scene
from userturn.measures.measurable import Measurable, Target
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
            yield (one, target), tokens[-len(target) :]


@dataclass(frozen=True, slots=True)
class Group:
    """Turns behind one query and answer.

    Attributes:
        turns: The turns, one or more.
        layout: Conversations by context.
        asked: Requests for the turns behind them.
    """

    turns: tuple[Measurable, ...]
    layout: Mapping[str, tuple[Conversation, ...]]
    asked: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything to score, and the turns that are left without likelihoods.

    Attributes:
        groups: Groups to score.
        unscored: Turns with nothing to score.
        too_long: Turns whose contexts do not fit the scorer.
        refused: Turns whose conversation its chat template does not carry as it is.
    """

    groups: tuple[Group, ...]
    unscored: tuple[Measurable, ...]
    too_long: tuple[Measurable, ...]
    refused: tuple[Measurable, ...]

    @property
    def requests(self) -> list[ScoreRequest]:
        """Every request."""
        return [asked.request for group in self.groups for asked in group.asked]


def plan(
    turns: Sequence[Measurable], chat: Chat, mode: Mode, ground: Ground, limit: int | None
) -> Plan:
    """Group turns by query and answer, and lay out their contexts.

    Args:
        turns: Turns of every condition.
        chat: The scorer's chat template.
        mode: `generate.context` of the study.
        ground: What the study puts in an answer's place.
        limit: Longest sequence that the scorer takes, in tokens; None: no limit.
    """
    render = _renderer(chat, mode)
    groups: list[Group] = []
    too_long: list[Measurable] = []
    refused: list[Measurable] = []
    for mates in _mates(turn for turn in turns if turn.tokens):
        targets = tuple(dict.fromkeys(turn.tokens for turn in mates))
        scene = Scene(Conversation(mates[0].asked, mates[0].answer), ground)
        layout = {name: tuple(kind.lay_out(scene)) for name, kind in contexts.load_all().items()}
        laid_out = dict.fromkeys(chain.from_iterable(layout.values()))
        try:
            longest = max(len(render(one)) for one in laid_out) + max(map(len, targets))
        except TemplateError:  # of these texts alone: `self_check` passed
            refused += mates
            continue
        if limit is not None and longest > limit:
            too_long += mates
        else:
            groups.append(Group(mates, layout, tuple(_requests(laid_out, targets, render))))
    unscored = tuple(turn for turn in turns if not turn.tokens)
    return Plan(tuple(groups), unscored, tuple(too_long), tuple(refused))


def _mates(turns: Iterable[Measurable]) -> list[tuple[Measurable, ...]]:
    """Turns that share query, what was said before it, and answer."""
    members: dict[tuple[Query, str], list[Measurable]] = defaultdict(list)
    for turn in turns:
        members[turn.asked, turn.answer].append(turn)
    return [tuple(mates) for mates in members.values()]


def _renderer(chat: Chat, mode: Mode) -> Render:
    """What gives the token ids of a conversation; each is rendered once."""
    rendered: dict[Conversation, Target] = {}

    def render(one: Conversation) -> Target:
        if one not in rendered:
            if one.query is None or one.answer is None:
                rendered[one] = chat.first_context()
            else:
                template = chat.user_context if one.role == "user" else chat.assistant_context
                rendered[one] = template(one.query, one.answer, mode)
        return rendered[one]

    return render


def _requests(
    conversations: Iterable[Conversation], targets: tuple[Target, ...], render: Render
) -> Iterator[Asked]:
    """One request per query and answer, whatever the header behind them."""
    exchanges: dict[tuple[Query | None, str | None], list[Conversation]] = defaultdict(list)
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

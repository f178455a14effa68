"""Turns made by rule from real conversations: tests of the judge, see reference.py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from userturn.artifacts.labels import Label
from userturn.judges.calibration.conversations import Conversation
from userturn.judges.calibration.reference import TRUE, Reference, fold
from userturn.measures.overlap import FUNCTION_WORDS

SPAM = (
    "Can you explain that in more detail?",
    "What else should I know?",
    "Can you give me an example?",
    "Could you tell me more about this?",
)
CLOSINGS = (
    "Thanks, that helps!",
    "Okay, great. Thank you!",
    "Got it, thanks.",
    "Perfect, thank you so much.",
)
LEADS = ("What I want to know is this:", "So, once more:", "My question was:", "I asked you:")
EXCERPT_WORDS = 24
"""Length of assistant text that stands as a user turn: about that of real turns."""


def make(sets: Mapping[str, Sequence[Conversation]], folds: int) -> list[Reference]:
    """Reference turns of all conversations; another conversation is one of the same fold."""
    made: list[Reference] = []
    for name, conversations in sets.items():
        elsewhere = list(chain.from_iterable(sets[other] for other in sets if other != name))
        for place, at in enumerate(conversations):
            made += _made_of(at, place)
            rotated = [*conversations[place + 1 :], *conversations[:place]]
            if near := _other(at, rotated, folds):
                made.append(_of(at, "moved", Label.UNRELATED, near.turn))
            turn = place % max(1, len(elsewhere))
            if far := _other(at, elsewhere[turn:] + elsewhere[:turn], folds):
                made.append(_of(at, "far", Label.UNRELATED, far.turn))
    return made


def _other(at: Conversation, others: Sequence[Conversation], folds: int) -> Conversation | None:
    """First conversation of the same fold whose turn is another one."""
    here = fold(at.query, folds)
    return next((o for o in others if fold(o.query, folds) == here and o.turn != at.turn), None)


def _made_of(at: Conversation, place: int) -> Iterator[Reference]:
    """What one conversation gives without any other."""
    yield _of(at, TRUE, Label.FOLLOWUP if at.reacts else Label.UNRELATED, at.turn)
    yield _of(at, "restated", Label.RESTATEMENT, restated(at.query))
    lead = LEADS[place % len(LEADS)]
    yield _of(at, "paraphrased", Label.RESTATEMENT, paraphrased(lead, at.query))
    yield _of(at, "spam", Label.GENERIC, SPAM[place % len(SPAM)])
    yield _of(at, "closing", Label.GENERIC, CLOSINGS[place % len(CLOSINGS)])
    yield _of(at, "loop", Label.DEGENERATE, loop(at.turn))
    yield _of(at, "empty", Label.EMPTY, "")
    if at.reply:
        yield _of(at, "reply", Label.ASSISTANT_VOICE, excerpt(at.reply))
    shown, rest = halves(at.answer)
    if rest:
        yield replace(_of(at, "rest", Label.ASSISTANT_VOICE, excerpt(rest)), answer=shown)


def _of(at: Conversation, kind: str, label: Label, text: str) -> Reference:
    end = "eos" if text else "empty"
    return Reference(at.source, at.item, at.source, kind, label, at.query, at.answer, text, end=end)


def restated(query: str) -> str:
    """The query carelessly said again: every sixth word another, two neighbours exchanged."""
    words = query.split()
    words[5::6] = ["something"] * len(words[5::6])
    if len(words) > 3:
        middle = len(words) // 2
        words[middle - 1], words[middle] = words[middle], words[middle - 1]
    return " ".join(words)


def paraphrased(lead: str, query: str) -> str:
    """The query behind a lead-in, without every second of its function words."""
    kept, small = [], 0
    for word in query.split():
        if word.casefold() in FUNCTION_WORDS:
            small += 1
            if small % 2 == 0:
                continue
        kept.append(word)
    return " ".join((lead, *kept))


def loop(turn: str) -> str:
    """The first words of a turn, twelve times."""
    return " ".join(turn.split()[:4] * 12)


def halves(answer: str) -> tuple[str, str]:
    """Sentences of an answer, cut in the middle; nothing in the second half of a single one."""
    sentences = re.split(r"(?<=[.!?])\s+", answer)
    middle = max(1, len(sentences) // 2)
    return " ".join(sentences[:middle]), " ".join(sentences[middle:])


def excerpt(text: str) -> str:
    """Beginning of a text, about as long as real turns are."""
    return " ".join(text.split(" ")[:EXCERPT_WORDS])

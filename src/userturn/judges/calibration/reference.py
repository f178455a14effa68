"""Reference turns: user turns whose label is known from how they were made.

Every conversation of a set gives its real second turn, and turns made from it by rule. What is
made of one conversation shares its fold, a hash of the query, so a split is the same everywhere.

| kind | made of | label |
| --- | --- | --- |
| `true` | the real second turn | `followup`; `unrelated` where it does not react |
| `moved` | the real second turn of another conversation of the set | `unrelated` |
| `far` | the real second turn of a conversation of another set | `unrelated` |
| `restated` | the query, carelessly said again | `restatement` |
| `paraphrased` | the query behind a lead-in, without its small words | `restatement` |
| `rest` | the second half of the answer, behind its first half | `assistant_voice` |
| `reply` | the assistant's next turn | `assistant_voice` |
| `spam` | a question that fits any answer | `unrelated` |
| `closing` | thanks or goodbye | `generic` |
| `loop` | the first words of the real turn, over and over | `degenerate` |
| `empty` | nothing | `empty` |
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from userturn.artifacts.labels import Label
from userturn.base import paths
from userturn.base.errors import SourceError
from userturn.measures.overlap import FUNCTION_WORDS
from userturn.models import sources
from userturn.study.references import ReferenceEntry
from userturn.study.study import Study

TRUE = "true"
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


@dataclass(frozen=True, slots=True)
class Conversation:
    """First exchange, the user turn behind it, and the assistant's reply to that.

    Attributes:
        source: Slug of the set.
        query: First user turn.
        answer: What the assistant answered.
        turn: Real second user turn.
        reply: What the assistant answered to that; empty where the source has none.
        reacts: Whether the second turn reacts to the answer.
    """

    source: str
    query: str
    answer: str
    turn: str
    reply: str
    reacts: bool

    def fold(self, folds: int) -> int:
        """Fold of everything made of this conversation."""
        return int(hashlib.sha256(self.query.encode()).hexdigest(), 16) % folds


@dataclass(frozen=True, slots=True)
class Reference:
    """A turn with its known label.

    Attributes:
        at: The conversation behind whose answer it stands.
        item: Place of that conversation in its set.
        kind: How it was made.
        label: What it is.
        answer: The answer that it stands behind: whole, or cut for `rest`.
        text: The turn.
    """

    at: Conversation
    item: str
    kind: str
    label: Label
    answer: str
    text: str


def read(study: Study) -> dict[str, list[Conversation]]:
    """Conversations of the sets of `calibrate.sets`, the first `per_set` of a seeded order each.

    Raises:
        SourceError: A file cannot be had, or is not of the kind that its entry says.
        StudyError: A path uses an environment variable that is not set.
    """
    sets = {}
    for slug in study.calibrate.sets:
        entry = study.reference[slug]
        path = sources.fetch(entry.source, paths.cache()).path
        try:
            conversations = list(_READERS[entry.kind](slug, entry, path))
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise SourceError(
                f"reference.{slug}: {path} is not of kind '{entry.kind}' ({error!r})"
            ) from None
        if not conversations:
            raise SourceError(f"reference.{slug}: {path} holds no conversation; check `task`")
        random.Random(f"{study.seed} {slug}").shuffle(conversations)
        sets[slug] = conversations[: study.calibrate.per_set]
    return sets


def make(sets: dict[str, list[Conversation]], folds: int) -> list[Reference]:
    """Reference turns of all conversations; another conversation is one of the same fold."""
    made: list[Reference] = []
    for name, conversations in sets.items():
        elsewhere = list(chain.from_iterable(sets[other] for other in sets if other != name))
        for place, at in enumerate(conversations):
            item = f"{place:05d}"
            made += _made_of(at, item, place)
            rotated = conversations[place + 1 :] + conversations[:place]
            if near := _other(at, rotated, folds):
                made.append(Reference(at, item, "moved", Label.UNRELATED, at.answer, near.turn))
            turn = place % max(1, len(elsewhere))
            if far := _other(at, elsewhere[turn:] + elsewhere[:turn], folds):
                made.append(Reference(at, item, "far", Label.UNRELATED, at.answer, far.turn))
    return made


def _other(at: Conversation, others: Sequence[Conversation], folds: int) -> Conversation | None:
    """First conversation of the same fold whose turn is another one."""
    fold = at.fold(folds)
    return next((o for o in others if o.fold(folds) == fold and o.turn != at.turn), None)


def _made_of(at: Conversation, item: str, place: int) -> Iterator[Reference]:
    """What one conversation gives without any other."""
    label = Label.FOLLOWUP if at.reacts else Label.UNRELATED
    yield Reference(at, item, TRUE, label, at.answer, at.turn)
    yield Reference(at, item, "restated", Label.RESTATEMENT, at.answer, restated(at.query))
    lead = LEADS[place % len(LEADS)]
    yield Reference(
        at, item, "paraphrased", Label.RESTATEMENT, at.answer, paraphrased(lead, at.query)
    )
    yield Reference(at, item, "spam", Label.UNRELATED, at.answer, SPAM[place % len(SPAM)])
    yield Reference(at, item, "closing", Label.GENERIC, at.answer, CLOSINGS[place % len(CLOSINGS)])
    yield Reference(at, item, "loop", Label.DEGENERATE, at.answer, loop(at.turn))
    yield Reference(at, item, "empty", Label.EMPTY, at.answer, "")
    if at.reply:
        reply = excerpt(at.reply)
        yield Reference(at, item, "reply", Label.ASSISTANT_VOICE, at.answer, reply)
    shown, rest = halves(at.answer)
    if rest:
        yield Reference(at, item, "rest", Label.ASSISTANT_VOICE, shown, excerpt(rest))


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


# --- readers ------------------------------------------------------------------------------------


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _conversations(slug: str, entry: ReferenceEntry, path: Path) -> Iterator[Conversation]:
    """JSON lines `query`, `answer`, `turn`, and where known `reply` and `reacts`."""
    for line in _lines(path):
        reacts = line.get("reacts", entry.reacts)
        reply = line.get("reply", "")
        yield Conversation(slug, line["query"], line["answer"], line["turn"], reply, reacts)


def _mathchat(slug: str, entry: ReferenceEntry, path: Path) -> Iterator[Conversation]:
    """MathChat `follow_up.jsonl` (arXiv 2405.19444): GSM8K, then turns behind `A:` and `B:`."""
    for line in _lines(path):
        spoken = re.split(r"^([AB]):", line["followup"], flags=re.MULTILINE)[1:5]
        if spoken[::2] == ["A", "B"]:
            answer = re.sub(r"<<.*?>>", "", line["answer"]).replace("####", "The answer is")
            turn, reply = (text.strip() for text in spoken[1::2])
            yield Conversation(slug, line["question"], answer, turn, reply, entry.reacts)


def _mtbench101(slug: str, entry: ReferenceEntry, path: Path) -> Iterator[Conversation]:
    """MT-Bench-101 (arXiv 2402.14762): dialogues, the kind of their user turns by task code."""
    for line in _lines(path):
        if line["task"] == entry.task:
            first, second = line["history"][:2]
            texts = first["user"], first["bot"], second["user"], second["bot"]
            yield Conversation(slug, *texts, entry.reacts)


def _mt_bench(slug: str, entry: ReferenceEntry, path: Path) -> Iterator[Conversation]:
    """MT-Bench (arXiv 2306.05685): second turns, behind the reference answers where there are."""
    if entry.answers is None:
        raise SourceError(f"reference.{slug}: kind 'mt_bench' needs the key `answers`")
    references = sources.fetch(entry.answers, paths.cache()).path
    answers = {line["question_id"]: line["choices"][0]["turns"] for line in _lines(references)}
    for line in _lines(path):
        if replies := answers.get(line["question_id"]):
            first, second = line["turns"]
            yield Conversation(slug, first, replies[0], second, replies[1], entry.reacts)


_READERS: dict[str, Callable[[str, ReferenceEntry, Path], Iterator[Conversation]]] = {
    "conversations": _conversations,
    "mathchat": _mathchat,
    "mtbench101": _mtbench101,
    "mt_bench": _mt_bench,
}

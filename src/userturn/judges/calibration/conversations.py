"""Real conversations: a query, an answer, and the second user turn. A reader per kind of source."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from userturn.base import paths
from userturn.base.errors import SourceError
from userturn.models import sources
from userturn.study.references import ReferenceEntry
from userturn.study.study import Study


@dataclass(frozen=True, slots=True)
class Conversation:
    """First exchange, the user turn behind it, and the assistant's reply to that.

    Attributes:
        source: Slug of the set.
        item: Its id in the set.
        query: First user turn.
        answer: What the assistant answered.
        turn: Real second user turn.
        reply: What the assistant answered to that; empty where the source has none.
        reacts: Whether the second turn is taken to react to the answer.
    """

    source: str
    item: str
    query: str
    answer: str
    turn: str
    reply: str
    reacts: bool


def read(study: Study, slug: str) -> list[Conversation]:
    """Every conversation of a set, in the order of its source.

    Raises:
        SourceError: A file cannot be had, or is not of the kind that its entry says.
        StudyError: A path uses an environment variable that is not set.
    """
    entry = entry_of(study, slug)
    if entry.kind not in _READERS:
        raise SourceError(f"reference.{slug}: kind '{entry.kind}' has no conversations")
    path = sources.fetch(entry.source, paths.cache(), key=f"reference.{slug}.source").path
    try:
        conversations = list(_READERS[entry.kind](slug, entry, path))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise SourceError(
            f"reference.{slug}: {path} is not of kind '{entry.kind}' ({error!r})"
        ) from None
    if not conversations:
        raise SourceError(f"reference.{slug}: {path} holds no conversation; check `task`")
    return conversations


def draw(study: Study, slug: str) -> list[Conversation]:
    """The first `calibrate.per_set` conversations of a set in a seeded order. Raises as `read`."""
    conversations = read(study, slug)
    random.Random(f"{study.seed} {slug}").shuffle(conversations)
    return conversations[: study.calibrate.per_set]


def entry_of(study: Study, slug: str) -> ReferenceEntry:
    """Entry of a set. Raises SourceError where the registry has none."""
    if slug not in study.reference:
        raise SourceError(f"reference.{slug}: is not in the registry, but another entry names it")
    return study.reference[slug]


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a JSONL file."""
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _conversations(slug: str, entry: ReferenceEntry, path: Path) -> Iterator[Conversation]:
    """JSON lines `query`, `answer`, `turn`, and where known `reply` and `reacts`."""
    for place, line in enumerate(lines(path)):
        reacts = line.get("reacts", entry.reacts)
        reply = line.get("reply", "")
        texts = line["query"], line["answer"], line["turn"], reply
        yield Conversation(slug, str(place), *texts, reacts)


def _mathchat(slug: str, entry: ReferenceEntry, path: Path) -> Iterator[Conversation]:
    """MathChat `follow_up.jsonl` (arXiv 2405.19444): GSM8K, then turns behind `A:` and `B:`."""
    for place, line in enumerate(lines(path)):
        spoken = re.split(r"^([AB]):", line["followup"], flags=re.MULTILINE)[1:5]
        if spoken[::2] == ["A", "B"]:
            answer = re.sub(r"<<.*?>>", "", line["answer"]).replace("####", "The answer is")
            turn, reply = (text.strip() for text in spoken[1::2])
            yield Conversation(
                slug, str(place), line["question"], answer, turn, reply, entry.reacts
            )


def _mtbench101(slug: str, entry: ReferenceEntry, path: Path) -> Iterator[Conversation]:
    """MT-Bench-101 (arXiv 2402.14762): dialogues, the kind of their user turns by task code."""
    for place, line in enumerate(lines(path)):
        if line["task"] == entry.task:
            first, second = line["history"][:2]
            texts = first["user"], first["bot"], second["user"], second["bot"]
            yield Conversation(slug, str(place), *texts, entry.reacts)


def _mt_bench(slug: str, entry: ReferenceEntry, path: Path) -> Iterator[Conversation]:
    """MT-Bench (arXiv 2306.05685): second turns, behind the reference answers where there are."""
    if entry.answers is None:
        raise SourceError(f"reference.{slug}: kind 'mt_bench' needs the key `answers`")
    key = f"reference.{slug}.answers"
    references = sources.fetch(entry.answers, paths.cache(), key=key).path
    answers = {line["question_id"]: line["choices"][0]["turns"] for line in lines(references)}
    for line in lines(path):
        if replies := answers.get(line["question_id"]):
            first, second = line["turns"]
            texts = first, replies[0], second, replies[1]
            yield Conversation(slug, str(line["question_id"]), *texts, entry.reacts)


def _mtrag(slug: str, entry: ReferenceEntry, path: Path) -> Iterator[Conversation]:
    """MTRAG (arXiv 2501.03468): people before an assistant that answers from documents."""
    longest: dict[str, list[dict[str, str]]] = {}
    for line in lines(path):  # a row per turn, with all that was said before it
        said = line["input"]
        if len(said) > len(longest.get(line["conversation_id"], ())):
            longest[line["conversation_id"]] = said
    for item, said in longest.items():
        if [one["speaker"] for one in said[:3]] == ["user", "agent", "user"]:
            query, answer, turn = (one["text"] for one in said[:3])
            yield Conversation(slug, item, query, answer, turn, "", entry.reacts)


def _oasst1(slug: str, entry: ReferenceEntry, path: Path) -> Iterator[Conversation]:
    """OpenAssistant (arXiv 2304.07327): conversations of which people wrote both sides."""
    for line in lines(path):
        said = line["turns"][:3]
        if [one["role"] for one in said] == ["user", "assistant", "user"]:
            query, answer, turn = (one["content"] for one in said)
            item = line["conversation_id"]
            yield Conversation(slug, item, query, answer, turn, "", entry.reacts)


_READERS: dict[str, Callable[[str, ReferenceEntry, Path], Iterator[Conversation]]] = {
    "conversations": _conversations,
    "mathchat": _mathchat,
    "mtbench101": _mtbench101,
    "mt_bench": _mt_bench,
    "mtrag": _mtrag,
    "oasst1": _oasst1,
}

"""Do the likelihood measures say what they claim? Thresholds fitted and tested on real turns.

    USERTURN_DATA=DIR python benchmarks/grounding_auc.py [--per-set 80] [--out FILE.jsonl]

DIR holds `mathchat/follow_up.jsonl` and `mtbench101/mtbench101.jsonl`. The scorer is that of
`params.yaml`. Per set of true follow-ups it prints the AUC of grounding against word overlap, each
for the same turns moved to another conversation of the same set. Then it fits the thresholds on one
half of the conversations and prints the labels given to the other half.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from userturn import engines, roles, weights
from userturn.grounding import Turn, likelihoods, plan, row, scored
from userturn.labels import Label
from userturn.params import Study

FOLLOW_UPS = ("mathchat", "CR", "FR", "SC", "SA", "AR", "IC")
"""MathChat follow-ups, and second turns of MT-Bench-101 by task: rephrase the content (CR) or the
format (FR), doubt a wrong (SC) or a right answer (SA), refer back (AR), answer a question (IC)."""

TOPIC_SHIFT = "TS"


@dataclass(frozen=True, slots=True)
class Conversation:
    """A query, its answer, the next user turn, and the answer to that."""

    source: str
    query: str
    answer: str
    turn: str
    reply: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A turn whose label is known from how it was made."""

    source: str
    kind: str
    expected: Label
    half: int
    turn: Turn


def read_conversations(data: Path, per_set: int, seed: int) -> dict[str, list[Conversation]]:
    """First two exchanges of `per_set` conversations of every set, in seeded order."""
    found: dict[str, list[Conversation]] = {name: [] for name in (*FOLLOW_UPS, TOPIC_SHIFT)}
    for line in (data / "mathchat/follow_up.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        spoken = re.split(r"^([AB]):", entry["followup"], flags=re.MULTILINE)[1:5]
        if spoken[::2] == ["A", "B"]:
            answer = re.sub(r"<<.*?>>", "", entry["answer"]).replace("####", "The answer is")
            turn, reply = (text.strip() for text in spoken[1::2])
            found["mathchat"].append(
                Conversation("mathchat", entry["question"], answer, turn, reply)
            )
    for line in (data / "mtbench101/mtbench101.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["task"] in found:
            first, second = entry["history"][:2]
            found[entry["task"]].append(
                Conversation(
                    entry["task"], first["user"], first["bot"], second["user"], second["bot"]
                )
            )
    for conversations in found.values():
        random.Random(seed).shuffle(conversations)
    return {name: conversations[:per_set] for name, conversations in found.items()}


def references(sets: dict[str, list[Conversation]], chat: Chat) -> list[Reference]:
    """Turns with known labels; a conversation and all that is made of it share a half."""
    made: list[Reference] = []

    def add(place: int, at: Conversation, kind: str, label: Label, answer: str, text: str) -> None:
        # `kind` stands where a condition stands: a cut answer is compared with cut answers.
        condition = "cut" if kind == "rest" else "whole"
        key = (at.source, str(place), condition, 0.0, len(made))
        # A restated query needs no likelihood: the rule on its text comes first.
        tokens = () if kind == "query" else tuple(chat.encode_content(text))
        turn = Turn(key, at.query, answer, answer, text, tokens)
        made.append(Reference(at.source, kind, label, place % 2, turn))

    for name, conversations in sets.items():
        for place, at in enumerate(conversations):
            # A neighbour two places on is in the same half.
            other = conversations[(place + 2) % len(conversations)]
            true = Label.UNRELATED if name == TOPIC_SHIFT else Label.FOLLOWUP
            add(place, at, "true", true, at.answer, at.turn)
            add(place, at, "moved", Label.UNRELATED, at.answer, other.turn)
            add(place, at, "query", Label.RESTATEMENT, at.answer, reworded(at.query))
            add(place, at, "reply", Label.ASSISTANT_VOICE, at.answer, first_words(at.reply))
            sentences = re.split(r"(?<=[.!?])\s+", at.answer)
            if len(sentences) > 1:
                cut = len(sentences) // 2
                shown, rest = " ".join(sentences[:cut]), " ".join(sentences[cut:])
                add(place, at, "rest", Label.ASSISTANT_VOICE, shown, first_words(rest))
    return made


def reworded(query: str) -> str:
    """The query said again, carelessly: every ninth word missing, two neighbours exchanged."""
    words = [word for at, word in enumerate(query.split(), start=1) if at % 9]
    if len(words) > 3:
        middle = len(words) // 2
        words[middle - 1], words[middle] = words[middle], words[middle - 1]
    return " ".join(words)


def first_words(text: str) -> str:
    """Beginning of a text, about as long as the true turns are."""
    return " ".join(text.split(" ")[:24])


def measure(made: Sequence[Reference], chat: Chat, study: Study) -> list[dict[str, Any]]:
    """Rows of artifacts.GROUNDING for reference turns, by the code of stage `ground`."""
    entry = study.model[study.ground.scorer]
    engine = engines.create(
        entry.engine.model_copy(update={"name": "transformers"}),
        weights.materialise(study, study.ground.scorer),
    )
    engine.load()
    layout = plan(
        [reference.turn for reference in made],
        chat,
        study.generate.context,
        study.ground.swaps,
        study.seed,
        engine.max_model_len,
    )
    rows = {turn.key: row(turn, None) for turn in (*layout.unscored, *layout.too_long)}
    for number, (group, own, swapped) in enumerate(scored(layout, engine), start=1):
        found = likelihoods(group, own, swapped)
        rows |= {turn.key: row(turn, measured) for turn, measured in found}
        print(f"\r{number} of {len(layout.groups)} answers", end="", file=sys.stderr)
    print(file=sys.stderr)
    return [rows[reference.turn.key] for reference in made]

"""Do the likelihood measures say what they claim? Thresholds fitted and tested on real turns.

    USERTURN_DATA=DIR python benchmarks/grounding_auc.py [--per-set 80] [--out FILE.jsonl]

DIR holds `mathchat/follow_up.jsonl` and `mtbench101/mtbench101.jsonl`. The scorer is that of
`params.yaml`. Per set of true follow-ups it prints the AUC of grounding against word overlap, each
for the same turns moved to another conversation of the same set. Then it fits the thresholds on one
half of the conversations and prints the labels given to the other half.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from userturn import engines, overlap, weights
from userturn.grounding import Turn, likelihoods, plan, row, scored
from userturn.judges.likelihood import Evidence, judge
from userturn.labels import Label
from userturn.params import LikelihoodThresholds, Study, load_study
from userturn.roles import Chat

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
    """The query said again, carelessly: every sixth word another one, two neighbours exchanged."""
    words = query.split()
    words[5::6] = ["something"] * len(words[5::6])
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


def cut(higher: Sequence[float], lower: Sequence[float]) -> float:
    """Threshold with the best balanced accuracy; the middle where several are as good."""
    values = sorted({*higher, *lower})
    middles = [(low + high) / 2 for low, high in pairwise(values)]

    def accuracy(threshold: float) -> float:
        above = sum(value >= threshold for value in higher) / len(higher)
        return above + sum(value < threshold for value in lower) / len(lower)

    best = max(map(accuracy, middles))
    tied = [middle for middle in middles if accuracy(middle) == best]
    return (tied[0] + tied[-1]) / 2


def fit(made: Sequence[Reference], rows: Sequence[dict[str, Any]]) -> LikelihoodThresholds:
    """Thresholds from one half of the conversations, one measure at a time."""
    half = [(m, found) for m, found in zip(made, rows, strict=True) if m.half == 0]

    def values(name: str, *expected: Label) -> list[float]:
        chosen = [found[name] for m, found in half if m.expected in expected]
        return [value for value in chosen if value is not None]

    user = (Label.FOLLOWUP, Label.UNRELATED)
    loops = [overlap.loop(" ".join([m.turn.text] * 3)) for m, _ in half]
    return LikelihoodThresholds(
        grounding=cut(values("grounding", Label.FOLLOWUP), values("grounding", Label.UNRELATED)),
        role_voice=cut(values("role_voice", *user), values("role_voice", Label.ASSISTANT_VOICE)),
        restatement=cut(values("restatement", Label.RESTATEMENT), values("restatement", *user)),
        loop=cut(loops, values("loop", *user)),
        origin="benchmarks/grounding_auc.py",
    )


def labelled(
    made: Sequence[Reference],
    rows: Sequence[dict[str, Any]],
    thresholds: LikelihoodThresholds,
) -> list[str]:
    """Label of every reference turn."""
    names = ("grounding", "role_voice", "restatement", "echo", "loop")
    found = []
    for reference, measured in zip(made, rows, strict=True):
        turn = reference.turn
        evidence = Evidence(turn.text, "eos", turn.shown, *(measured[name] for name in names))
        found.append(str(judge(evidence, thresholds)[0] or "no label"))
    return found


def print_auc(made: Sequence[Reference], rows: Sequence[dict[str, Any]]) -> None:
    """Table of AUCs: true follow-ups against moved turns, and user turns against assistant text."""
    from sklearn.metrics import roc_auc_score

    def auc(higher: list[float], lower: list[float]) -> float:
        truth = [1] * len(higher) + [0] * len(lower)
        return float(roc_auc_score(truth, higher + lower))

    print(f"{'set':>9} {'turns':>5} {'G':>5} {'word overlap':>12}   {'V: reply':>8} {'V: rest':>7}")
    for source in (*FOLLOW_UPS, "all"):
        of_set = [
            (m, found)
            for m, found in zip(made, rows, strict=True)
            if source == m.source or (source == "all" and m.source != TOPIC_SHIFT)
        ]

        def of(kind: str, name: str, chosen: list[Any] = of_set) -> list[float]:
            return [
                found[name] for m, found in chosen if m.kind == kind and found[name] is not None
            ]

        def shared(kind: str, chosen: list[Any] = of_set) -> list[float]:
            turns = [m.turn for m, found in chosen if m.kind == kind]
            return [overlap.content_overlap(turn.text, turn.shown) for turn in turns]

        voice = of("true", "role_voice")
        print(
            f"{source:>9} {len(voice):>5}"
            f" {auc(of('true', 'grounding'), of('moved', 'grounding')):5.2f}"
            f" {auc(shared('true'), shared('moved')):12.2f}"
            f"   {auc(voice, of('reply', 'role_voice')):8.2f}"
            f" {auc(voice, of('rest', 'role_voice')):7.2f}"
        )


def main() -> None:
    """Measure, print, and keep the rows if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--per-set", type=int, default=80, help="conversations per set")
    parser.add_argument("--out", type=Path, help="JSON lines of every turn with its measures")
    options = parser.parse_args()
    if "USERTURN_DATA" not in os.environ:
        sys.exit("set USERTURN_DATA to the folder that holds mathchat/ and mtbench101/")
    from sklearn.metrics import classification_report

    study = load_study()
    folder = weights.materialise(study, study.ground.scorer)
    chat = Chat.load(folder, study.model[study.ground.scorer].chat)
    sets = read_conversations(Path(os.environ["USERTURN_DATA"]), options.per_set, study.seed)
    made = references(sets, chat)
    rows = measure(made, chat, study)
    print_auc(made, rows)
    thresholds = fit(made, rows)
    print(f"\nthresholds from half of the conversations: {thresholds}")
    labels = labelled(made, rows, thresholds)
    held = [(m, label) for m, label in zip(made, labels, strict=True) if m.half == 1]
    expected = [str(m.expected) for m, _ in held]
    print("\nthe other half, by expected label")
    print(classification_report(expected, [label for _, label in held], zero_division=0))
    for kind in dict.fromkeys((m.source, m.kind) for m, _ in held):
        given = Counter(label for m, label in held if (m.source, m.kind) == kind)
        print(f"{' '.join(kind):>16}  " + ", ".join(f"{k} {n}" for k, n in given.most_common()))
    if options.out:
        with options.out.open("w", encoding="utf-8") as handle:
            for m, measured, label in zip(made, rows, labels, strict=True):
                kept = {**measured, "kind": m.kind, "expected": m.expected, "label": label}
                handle.write(json.dumps({**kept, "text": m.turn.text}) + "\n")


if __name__ == "__main__":
    main()

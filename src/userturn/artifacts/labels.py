"""The taxonomy: what a generated user turn is to the answer in front of it.

A genuine follow-up reacts to this answer; sharing the subject of the query is not enough, and has a
label of its own, `on_topic`. The definitions that readers go by: data/reference/GUIDE.md.

The failure modes are those reported for arXiv 2604.02315 (section names unknown).
"""

from __future__ import annotations

from enum import StrEnum


class Label(StrEnum):
    """One label per user turn and judge."""

    FOLLOWUP = "followup"
    ON_TOPIC = "on_topic"
    RESTATEMENT = "restatement"
    ASSISTANT_VOICE = "assistant_voice"
    UNRELATED = "unrelated"
    GENERIC = "generic"
    META = "meta"
    EMPTY = "empty"
    DEGENERATE = "degenerate"


MEANING: dict[Label, str] = {
    Label.FOLLOWUP: "reacts to this answer: asks about it, doubts it, uses it",
    Label.ON_TOPIC: "on the subject, but takes nothing from the answer",
    Label.RESTATEMENT: "asks the same thing again",
    Label.ASSISTANT_VOICE: "sounds like the assistant: goes on answering, or offers help",
    Label.UNRELATED: "something new that has nothing to do with the answer",
    Label.GENERIC: "thanks, ok, goodbye, or what would fit any answer",
    Label.META: "talks about the conversation, or about what to write",
    Label.EMPTY: "nothing is there",
    Label.DEGENERATE: "cannot be read: loops, noise, cut inside a word",
}
"""In plain words, for who labels turns."""

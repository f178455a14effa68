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
    Label.RESTATEMENT: "asks the same thing again, with nothing from the answer",
    Label.ASSISTANT_VOICE: "sounds like the assistant: goes on, repeats, explains, offers help",
    Label.UNRELATED: "something new that has nothing to do with question or answer",
    Label.GENERIC: "thanks, ok, goodbye, or what would fit any answer to any question",
    Label.META: "talks about which turn to write, or sets up a role",
    Label.EMPTY: "nothing is there",
    Label.DEGENERATE: "cannot be read: loops, word salad, noise, cut inside its first words",
}
"""In plain words, for who labels turns."""

LENIENT = (Label.FOLLOWUP, Label.ON_TOPIC)
"""What the lenient rate counts; the strict one counts `followup` alone."""

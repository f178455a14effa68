"""The taxonomy: what a generated user turn is to the answer in front of it.

The failure modes are those reported for arXiv 2604.02315 (section names unknown).
"""

from __future__ import annotations

from enum import StrEnum


class Label(StrEnum):
    """One label per user turn and judge."""

    FOLLOWUP = "followup"
    RESTATEMENT = "restatement"
    ASSISTANT_VOICE = "assistant_voice"
    UNRELATED = "unrelated"
    GENERIC = "generic"
    META = "meta"
    EMPTY = "empty"
    DEGENERATE = "degenerate"


MEANING: dict[Label, str] = {
    Label.FOLLOWUP: "reacts to this answer",
    Label.RESTATEMENT: "restates the query",
    Label.ASSISTANT_VOICE: "continues or answers as the assistant",
    Label.UNRELATED: "a new query that has nothing to do with the conversation",
    Label.GENERIC: "thanks, ok or goodbye, with nothing of the answer in it",
    Label.META: "about what to write",
    Label.EMPTY: "no text",
    Label.DEGENERATE: "loops, noise, or cut inside a word at the token limit",
}

"""Arena-Hard, difficult questions to Chatbot Arena (arXiv 2406.11939)."""

from __future__ import annotations

from userturn.prompts.kinds import Kind
from userturn.prompts.records import Prompt, Row


def read(row: Row) -> Prompt:
    """A question; answers to it are compared, and no program checks them."""
    return Prompt(item=row.text("uid"), text=row.text("prompt"))


KIND = Kind(read)

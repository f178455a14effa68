"""A prompt file of one's own: one JSON object per line with `prompt`, and `id`, `reference`."""

from __future__ import annotations

from userturn.prompts.kinds import Kind
from userturn.prompts.records import Prompt, Row


def read(row: Row) -> Prompt:
    """A prompt; without an `id` it is named by its place in the file."""
    named = row.values.get("id")
    return Prompt(
        item=str(row.index if named is None else named),
        text=row.text("prompt"),
        reference_answer=row.optional_text("reference"),
    )


KIND = Kind(read)

"""MT-Bench, first turns (arXiv 2306.05685); the scripted second turns are not shown."""

from __future__ import annotations

from userturn.base.errors import PromptError
from userturn.prompts.kinds import Kind
from userturn.prompts.records import Prompt, Row


def read(row: Row) -> Prompt:
    """The first turn, with its short reference where the question has one."""
    turns = row.items("turns")
    if not turns:
        raise PromptError(f"{row.origin}: 'turns' is empty")
    references = row.items("reference") if row.values.get("reference") else []
    return Prompt(
        item=str(row.get("question_id")),
        text=row.as_text(turns[0], "turns"),
        reference_answer=row.as_text(references[0], "reference") if references else None,
    )


KIND = Kind(read)

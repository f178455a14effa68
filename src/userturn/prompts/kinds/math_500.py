"""MATH-500, competition mathematics (arXiv 2305.20050)."""

from __future__ import annotations

from userturn.prompts.kinds import Kind
from userturn.prompts.records import Prompt, Row, as_target


def read(row: Row) -> Prompt:
    """A problem; its LaTeX answer is the target, the worked solution the reference."""
    return Prompt(
        item=row.text("unique_id"),
        text=row.text("problem"),
        verifier="math",
        target=as_target(row.text("answer")),
        reference_answer=row.optional_text("solution"),
    )


KIND = Kind(read)

"""HealthBench, conversations about health (arXiv 2505.08775); those of one user message."""

from __future__ import annotations

from collections.abc import Mapping

from userturn.prompts.kinds import Kind
from userturn.prompts.records import Prompt, Row, single_user_message


def read(row: Row) -> Prompt | None:
    """The user message, with the physicians' ideal completion where there is one."""
    text = single_user_message(row, row.items("prompt"), "prompt")
    if text is None:
        return None
    ideal = row.values.get("ideal_completions_data")
    reference = ideal.get("ideal_completion") if isinstance(ideal, Mapping) else None
    return Prompt(item=row.text("prompt_id"), text=text, reference_answer=reference)


KIND = Kind(read)

"""HealthBench, conversations about health (arXiv 2505.08775), with all that was said before.

Its records carry a canary: they are for evaluation, and no training set may hold them.
"""

from __future__ import annotations

from collections.abc import Mapping

from userturn.prompts.kinds import Kind
from userturn.prompts.records import Prompt, Row, conversation


def read(row: Row) -> Prompt | None:
    """The conversation, with the physicians' ideal completion where there is one."""
    asked = conversation(row, row.items("prompt"), "prompt")
    if asked is None:
        return None
    earlier, text = asked
    ideal = row.values.get("ideal_completions_data")
    reference = ideal.get("ideal_completion") if isinstance(ideal, Mapping) else None
    if reference is not None:
        reference = row.as_text(reference, "ideal_completions_data.ideal_completion")
    return Prompt(row.text("prompt_id"), text, reference_answer=reference, earlier=earlier)


KIND = Kind(read)

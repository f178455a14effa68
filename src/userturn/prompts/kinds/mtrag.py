"""MTRAG (arXiv 2501.03468): people before an assistant that answers from documents.

A record is a conversation up to some user turn. The prompt is what it holds up to its last user
turn but one, and the last one is the real next turn: one prompt of each conversation, so that
prompts are independent. Retrieved passages are no part of the conversation.
"""

from __future__ import annotations

from userturn.prompts.kinds import Kind
from userturn.prompts.records import Prompt, Row, continued


def read(row: Row) -> Prompt | None:
    """The conversation up to its last user turn but one, the agent's answer, and the next turn."""
    exchange = continued(row, row.items("input"), "input", role="speaker", content="text")
    if exchange is None:
        return None
    earlier, text, answer, turn = exchange
    return Prompt(
        row.text("task_id"), text, reference_answer=answer, earlier=earlier, next_turn=turn
    )


KIND = Kind(read, lacks="conversations of one user turn, which have no next one")

"""OpenAssistant (arXiv 2304.07327): conversations of which people wrote both sides.

The prompt is a conversation up to its last user turn that another one follows, and that one is the
real next turn: one prompt of each conversation, so that prompts are independent.
"""

from __future__ import annotations

from userturn.prompts.kinds import Kind
from userturn.prompts.records import Prompt, Row, continued


def read(row: Row) -> Prompt | None:
    """The conversation up to its last user turn but one, the answer to that, and the next turn."""
    exchange = continued(row, row.items("turns"), "turns")
    if exchange is None:
        return None
    earlier, text, answer, turn = exchange
    return Prompt(
        row.text("conversation_id"), text, reference_answer=answer, earlier=earlier, next_turn=turn
    )


KIND = Kind(read, lacks="conversations of one user turn, which have no next one")

"""A prompt file of one's own: one JSON object per line.

| key | what it is |
| --- | --- |
| `prompt` | what the user asks; or else |
| `messages` | a conversation, objects with `role` and `content`, that ends in a user turn |
| `id` | a name of its own; without one it is named by its place in the file |
| `answer` | an answer to it |
| `next_turn` | what the user really said next, behind `answer` |
"""

from __future__ import annotations

from userturn.artifacts.messages import Message
from userturn.base.errors import PromptError
from userturn.prompts.kinds import Kind
from userturn.prompts.records import Prompt, Row, conversation


def read(row: Row) -> Prompt:
    """A prompt."""
    named, answer = row.values.get("id"), row.optional_text("answer")
    turn = row.optional_text("next_turn")
    if turn is not None and answer is None:
        raise PromptError(
            f"{row.origin}: has a 'next_turn' and no 'answer'; add the answer that it follows"
        )
    earlier, text = _asked(row)
    return Prompt(
        item=str(row.index if named is None else named),
        text=text,
        reference_answer=answer,
        earlier=earlier,
        next_turn=turn,
    )


def _asked(row: Row) -> tuple[tuple[Message, ...], str]:
    """What stands in front of the user turn that is to be answered, and that turn."""
    if row.values.get("messages") is None:
        return (), row.text("prompt")
    if row.values.get("prompt") is not None:
        raise PromptError(f"{row.origin}: has both 'prompt' and 'messages'; leave one of them out")
    asked = conversation(row, row.items("messages"), "messages")
    if asked is None:
        raise PromptError(
            f"{row.origin}: 'messages' must be user and assistant turns by turns, a user turn "
            "first and last, behind at most one system message"
        )
    return asked


KIND = Kind(read)

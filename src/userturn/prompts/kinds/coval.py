"""CoVal, value-sensitive prompts with crowd-written rubrics (hub: openai/coval, `comparisons`).

The hub could not be reached when this was written. The columns follow a public script that reads
them: `prompt_id`, and `prompt` as an object with `messages`. Prompts given as a bare list of
messages or as text are read too; anything else is an error that names the columns found.
"""

from __future__ import annotations

from collections.abc import Mapping

from userturn.base.errors import PromptError
from userturn.prompts.kinds import Kind
from userturn.prompts.records import Prompt, Row, conversation


def read(row: Row) -> Prompt | None:
    """The conversation."""
    prompt = row.get("prompt")
    messages = prompt.get("messages") if isinstance(prompt, Mapping) else prompt
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    if not isinstance(messages, list):
        raise PromptError(
            f"{row.origin}: 'prompt' holds no messages (columns found: {', '.join(row.values)})"
        )
    asked = conversation(row, messages, "prompt.messages")
    return asked and Prompt(row.text("prompt_id"), asked[1], earlier=asked[0])


KIND = Kind(read)

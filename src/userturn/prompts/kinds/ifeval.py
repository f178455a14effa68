"""IFEval, instructions that a program can check (arXiv 2311.07911)."""

from __future__ import annotations

from userturn.base.errors import PromptError
from userturn.prompts.kinds import Kind
from userturn.prompts.records import Prompt, Row, as_target


def read(row: Row, verifier: str = "ifeval") -> Prompt:
    """A prompt with its instruction ids and the arguments of each."""
    text = row.text("prompt")
    instructions = row.items("instruction_id_list")
    arguments = row.items("kwargs")
    if len(instructions) != len(arguments) or not all(isinstance(one, dict) for one in arguments):
        raise PromptError(
            f"{row.origin}: 'kwargs' must hold one object for each of the {len(instructions)} "
            f"instructions, not {arguments!r:.80}"
        )
    target = {
        "prompt": text,
        "instruction_id_list": instructions,
        # Null says "not an argument of this instruction" in files that went through Arrow.
        "kwargs": [
            {name: value for name, value in given.items() if value is not None}
            for given in arguments
        ],
    }
    return Prompt(item=str(row.get("key")), text=text, verifier=verifier, target=as_target(target))


KIND = Kind(read)

"""GSM8K grade-school word problems (arXiv 2110.14168)."""

from __future__ import annotations

import re

from userturn.base.errors import PromptError
from userturn.prompts.kinds import Kind
from userturn.prompts.records import Prompt, Row, as_target

_CALCULATOR = re.compile(r"<<[^>]*>>")


def read(row: Row) -> Prompt:
    """A problem; the number behind `####` is its target, the worked solution its reference."""
    solution = _CALCULATOR.sub("", row.text("answer"))
    _, marker, number = solution.rpartition("####")
    if not marker:
        raise PromptError(f"{row.origin}: 'answer' has no '####' with the final number")
    return Prompt(
        item=str(row.index),
        text=row.text("question"),
        verifier="math",
        target=as_target(number.strip()),
        reference_answer=solution,
    )


KIND = Kind(read)

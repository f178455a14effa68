"""Multiple choice, checked as OpenAI's `simple-evals` does: the letter behind `Answer:`."""

from __future__ import annotations

import re

from userturn.verifiers import Score, Verifier

ANSWER = re.compile(r"(?i)Answer[ \t]*:[ \t]*\$?([A-D])\$?")


def check(target: str, text: str) -> Score:
    """Whether the first such letter is the right one; an answer without one is wrong."""
    given = ANSWER.search(text)
    right = float(given is not None and given[1].upper() == target)
    return Score(right, right)


VERIFIER = Verifier(check)

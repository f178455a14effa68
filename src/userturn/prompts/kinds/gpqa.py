"""GPQA, graduate-level multiple choice (arXiv 2311.12022; hub: Idavidrein/gpqa, gated).

The hub could not be reached when this was written. The columns follow OpenAI's `simple-evals`,
which also gives the wording of the question and of the answer's last line.
"""

from __future__ import annotations

from userturn.base.seeds import rank
from userturn.prompts.kinds import Kind
from userturn.prompts.records import Prompt, Row, as_target

LETTERS = "ABCD"
RIGHT = "Correct Answer"
WRONG = ("Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
ASK = (
    "Answer the following multiple choice question. The last line of your response should be of "
    "the following format: 'Answer: $LETTER' (without quotes) where LETTER is one of ABCD. Think "
    "step by step before answering."
)


def read(row: Row) -> Prompt:
    """A question with its four choices, in an order drawn by its id."""
    item = row.text("Record ID")
    choices = [row.text(key).strip() for key in (RIGHT, *WRONG)]
    order = sorted(range(len(LETTERS)), key=lambda at: rank(item, at))
    listed = "\n".join(
        f"{letter}) {choices[at]}" for letter, at in zip(LETTERS, order, strict=True)
    )
    return Prompt(
        item=item,
        text=f"{ASK}\n\n{row.text('Question').strip()}\n\n{listed}",
        verifier="choice",
        target=as_target(LETTERS[order.index(0)]),
        reference_answer=row.optional_text("Explanation"),
    )


KIND = Kind(read)

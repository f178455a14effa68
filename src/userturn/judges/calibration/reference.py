"""Reference turns: user turns whose label is known, by reading or from how they were made.

Labels by reading are what the judge is fitted on. Turns made by rule from conversations with a real
second turn are tests of the judge, each kind apart: real failures of models are harder than they.

| kind | what it is | label |
| --- | --- | --- |
| `gold` | a turn that a model wrote | by reading |
| `read` | a real second turn | by reading |
| `true` | a real second turn | taken for `followup`; `unrelated` where the set does not react |
| `moved` | the real second turn of another conversation of the set | `unrelated` |
| `far` | the real second turn of a conversation of another set | `unrelated` |
| `restated` | the query, carelessly said again | `restatement` |
| `paraphrased` | the query behind a lead-in, without its small words | `restatement` |
| `rest` | the second half of the answer, behind its first half | `assistant_voice` |
| `reply` | the assistant's next turn | `assistant_voice` |
| `spam` | a question that fits any answer | `generic` |
| `closing` | thanks or goodbye | `generic` |
| `loop` | the first words of the real turn, over and over | `degenerate` |
| `empty` | nothing | `empty` |

Whatever stands behind one query shares its fold, a hash of the query, so a split is the same
everywhere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from userturn.artifacts.labels import Label

TRUE = "true"
READ = ("gold", "read")
"""Kinds whose label is by reading."""
PEOPLE = (TRUE, "read")
"""Kinds of real turns: people wrote them behind the answer that they read."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A turn of known label.

    Attributes:
        set: Slug of its set.
        item: Its prompt or conversation, unique in the set.
        source: What a judge fitted elsewhere has not seen: its conversations, whatever set.
        kind: How its label is known.
        label: What it is.
        query: The query.
        answer: The answer that it stands behind.
        text: The turn.
        number: Its place among those of its item and kind.
        end: How it ended.
        sure: Whether another reader would hardly choose another label.
        condition: Of a turn that a model wrote: `base`, or a perturbation.
        temperature: Of a turn that a model wrote.
    """

    set: str
    item: str
    source: str
    kind: str
    label: Label
    query: str
    answer: str
    text: str
    number: int = 0
    end: str = "eos"
    sure: bool = True
    condition: str | None = None
    temperature: float | None = None

    def fold(self, folds: int) -> int:
        """Fold of everything that stands behind this query."""
        return fold(self.query, folds)

    @property
    def read(self) -> bool:
        """Whether its label is by reading."""
        return self.kind in READ


def fold(query: str, folds: int) -> int:
    """Fold of a query, in [0, folds)."""
    return int(hashlib.sha256(query.encode()).hexdigest(), 16) % folds

"""Role voice: whose turn it is by its form, the user's or the assistant's.

`V = [log p(u | q, a, user header) - log p(u | q, a, assistant header)] / |u|`, nats per token.
"""

from __future__ import annotations

from userturn.measures.kinds import LogP, Measure, total
from userturn.measures.measurable import Measurable


def value(turn: Measurable, log_p: LogP) -> float:
    """`V`."""
    return (total(log_p["own"]) - total(log_p["assistant"])) / len(turn.tokens)


MEASURE = Measure(
    "how much likelier the turn is under the user header than under the assistant's",
    "nats/token",
    value,
    ("own", "assistant"),
)

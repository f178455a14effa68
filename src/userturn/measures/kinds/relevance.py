"""Relevance: what the turn owes to this conversation.

`C = log p(u | q, a) - mean_k log p(u | q'_k, a'_k)`, nats per turn.

It weighs this conversation against others of the same dataset, grounding this answer against others
to the same query. It is a sum, the logarithm of a likelihood ratio, because a longer turn is more
evidence; on real follow-ups it finds them better than its mean per token (benchmarks/README.md).
"""

from __future__ import annotations

from userturn.measures.kinds import LogP, Measure, total
from userturn.measures.measurable import Measurable


def value(_: Measurable, log_p: LogP) -> float:
    """`C`."""
    return total(log_p["own"]) - total(log_p["elsewhere"])


MEASURE = Measure(
    "how much likelier the turn is behind its conversation than behind others",
    "nats",
    value,
    ("own", "elsewhere"),
)

"""Relevance: what the turn owes to its query.

`Q = mean_t [log p(u_t | q, n, u_<t) - log p(u_t | u_<t)]`, nats per token, with a neutral answer
`n` as in uptake, against the turn as the first one of a conversation.

A query said again has much of it, a question on its subject some, an unrelated one none. With
uptake it adds up to what the whole conversation explains.
"""

from __future__ import annotations

from userturn.measures.kinds import Measure, compare

MEASURE = Measure(
    "how much likelier the turn is behind its query than as a first turn",
    "nats/token",
    compare("neutral", "alone"),
    ("neutral", "alone"),
)

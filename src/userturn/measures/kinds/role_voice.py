"""Role voice: whose turn it is by its form, the user's or the assistant's.

`V = mean_t [log p(u_t | q, a, user header, u_<t) - log p(u_t | q, a, assistant header, u_<t)]`,
nats per token.
"""

from __future__ import annotations

from userturn.measures.kinds import Measure, compare

MEASURE = Measure(
    "how much likelier the turn is under the user header than under the assistant's",
    "nats/token",
    compare("own", "assistant"),
    ("own", "assistant"),
)

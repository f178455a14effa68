"""Grounding: what the turn owes to this answer.

`G = [log p(u | q, a) - mean_k log p(u | q, a'_k)] / |u|`, nats per token.

The `a'_k` are answers to other prompts of the same dataset, so that subject and form alone earn no
grounding, and they carry the same perturbation as `a`, so that a turn which reacts to the
perturbation alone (the appended question, say) earns none either. Under `swap` the context showed
another prompt's answer, but `a` is the prompt's own: `G` falls to about 0 if turns depend on the
answer they were shown. Worked example: a turn of 8 tokens with log-probability -20 behind its
answer, and -26 and -30 behind two others, has `G = (-20 + 28) / 8 = 1`.
"""

from __future__ import annotations

from userturn.measures.kinds import LogP, Measure, total
from userturn.measures.measurable import Measurable


def value(turn: Measurable, log_p: LogP) -> float:
    """`G`."""
    return (total(log_p["own"]) - total(log_p["swapped"])) / len(turn.tokens)


MEASURE = Measure(
    "how much likelier the turn is behind its answer than behind answers to other prompts",
    "nats/token",
    value,
    ("own", "swapped"),
)

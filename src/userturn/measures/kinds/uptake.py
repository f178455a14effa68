"""Uptake: what the turn owes to this answer, beyond what its query explains.

`A = mean_t [log p(u_t | q, a, u_<t) - log p(u_t | q, n, u_<t)]`, nats per token, with a neutral
answer `n` ("Okay."), or the mean over several.

The query stands in both contexts, so being on its subject earns nothing: a word that only the
answer explains does. Worked example: asked "How do I keep basil alive?" the assistant answers "Give
it six hours of sun, and pinch off the flowers." The turn "Why pinch off flowers?" has the tokens
`Why`, ` pinch`, ` off`, ` flowers`, `?` with log-probabilities -3, -4, -1, -1 and -0.5 behind this
answer, and -2.5, -12, -2, -4 and -0.5 behind "Okay.". The gains are -0.5, 8, 1, 3 and 0: the answer
explains "pinch" and "flowers", and `A = 11.5 / 5 = 2.3`. Under `swap` the context showed another
prompt's answer: `A` against that one says what the turn took from it, and `A` against the prompt's
own, which the turn never saw, is about 0 if the measure means what it says.
"""

from __future__ import annotations

from userturn.measures.kinds import Measure, compare

MEASURE = Measure(
    "how much likelier the turn is behind its answer than behind a neutral one",
    "nats/token",
    compare("own", "neutral"),
    ("own", "neutral"),
)

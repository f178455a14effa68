"""Job `calibrate`: the scorer reads the reference turns.

How many a set has is assumed: it is known only where all its files are here, and then
`userturn status` counts them exactly.
"""

from __future__ import annotations

from collections.abc import Iterator

from userturn.workflow.plan.jobs.likelihoods import Asked, load
from userturn.workflow.plan.setting import Job, Setting


def jobs(setting: Setting) -> Iterator[Job]:
    """One job."""
    study, assumed = setting.study, setting.assumed
    turns = 0.0
    groups = 0.0
    for slug in study.calibrate.sets:
        if study.reference[slug].turns is not None:  # labels by reading: all of them count
            turns += assumed.read_turns
            groups += assumed.read_turns
        else:
            conversations = study.calibrate.per_set or assumed.set_conversations
            turns += conversations * assumed.made_turns
            groups += conversations * 2  # the answer, and its first half
    asked = Asked(
        round(turns),
        round(groups),
        assumed.prompt_tokens,
        min(assumed.answer_tokens, assumed.reference_tokens),
        assumed.turn_tokens,
    )
    scored = load(setting, asked)
    yield Job("calibrate", "likelihoods", None, study.ground.scorer, scored, scores=True)


JOBS = jobs

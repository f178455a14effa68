"""Kinds of jobs that cost something, one module each. A module defines JOBS.

JOBS is a function of the `Setting` that gives the jobs of its kind: what every model is asked, in
requests and tokens. A new kind of work, such as a training recipe, is one more file here.
"""

from __future__ import annotations

from userturn.base import registry
from userturn.workflow.plan.setting import JobKind

FIRST = ("answers", "user_turns", "controls", "likelihoods", "judges", "calibration")


def load_all() -> dict[str, JobKind]:
    """Every kind by name, in the order of the stages."""
    return registry.load_all("workflow.plan.jobs", "JOBS", first=FIRST)

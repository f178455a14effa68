"""Jobs `controls`: every probed model writes turns behind perturbed answers."""

from __future__ import annotations

from collections.abc import Iterator

from userturn.workflow.plan.jobs._turns import load
from userturn.workflow.plan.setting import Job, Setting


def jobs(setting: Setting) -> Iterator[Job]:
    """One job per model; each condition has a context of its own."""
    for slug in setting.study.models.probe:
        turns = load(setting, slug, "controls", contexts=len(setting.study.perturb.conditions))
        yield Job(f"perturb@{slug}", "controls", slug, slug, turns)


JOBS = jobs

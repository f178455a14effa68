"""Jobs `user turns`: every probed model writes turns behind the answers."""

from __future__ import annotations

from collections.abc import Iterator

from userturn.workflow.plan.jobs._turns import load
from userturn.workflow.plan.setting import Job, Setting


def jobs(setting: Setting) -> Iterator[Job]:
    """One job per model."""
    for slug in setting.study.models.probe:
        turns = load(setting, slug, "user_turns", contexts=1)
        yield Job(f"generate@{slug}", "user turns", slug, slug, turns)


JOBS = jobs

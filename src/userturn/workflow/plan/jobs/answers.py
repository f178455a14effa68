"""Jobs `answers`: every probed model answers every prompt."""

from __future__ import annotations

from collections.abc import Iterator

from userturn.workflow.plan.cost import Load
from userturn.workflow.plan.setting import Job, Setting


def jobs(setting: Setting) -> Iterator[Job]:
    """One job per model; none where the dataset's own answers are shown."""
    generate = setting.study.generate
    if generate.answer_source == "reference":
        return
    for slug in setting.study.models.probe:
        read = setting.query_tokens + setting.count * setting.assumed.template_tokens
        load = Load(
            requests=setting.count,
            tokens_in=read,
            tokens_read=read,
            tokens_out=setting.count * setting.lengths[slug].answer,
            tokens_out_most=float(setting.count * generate.answer.max_tokens),
        )
        yield Job(f"generate@{slug}", "answers", slug, slug, load)


JOBS = jobs

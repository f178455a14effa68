"""Jobs of LLM judges: each reads every turn with its conversation, behind the rubric."""

from __future__ import annotations

from collections.abc import Iterator

from userturn.judges.llm import reply
from userturn.study.judges import LIKELIHOOD, LlmJudge, LocalJudge, ServerJudge
from userturn.study.sources import HubSource
from userturn.study.study import Study
from userturn.workflow.plan.cost import Load
from userturn.workflow.plan.jobs._compared import comparisons
from userturn.workflow.plan.setting import Job, Setting


def jobs(setting: Setting) -> Iterator[Job]:
    """One job per judge and probed model."""
    study = setting.study
    for judge in study.classify.judges:
        if judge == LIKELIHOOD:
            continue
        entry = study.judge[judge]
        rubric = _rubric_tokens(setting, entry)
        for slug in study.models.probe:
            length, assumed = setting.lengths[slug], setting.assumed
            asked = setting.count * comparisons(study) * (1 + assumed.asked_again)
            data = setting.query_tokens / max(1, setting.count) + length.answer + length.turn
            own = asked * (data + assumed.template_tokens)
            load = Load(
                requests=round(asked),
                tokens_in=own + asked * rubric,
                tokens_read=own + rubric,
                tokens_out=asked * min(assumed.reply_tokens, entry.max_tokens),
                tokens_out_most=asked * entry.max_tokens,
            )
            priced = isinstance(entry, ServerJudge) and entry.key_env is not None
            runs_on = None if priced else runs(study, entry)
            yield Job(f"classify@{slug}", f"judge {judge}", slug, runs_on, load, priced=priced)


def runs(study: Study, entry: LlmJudge) -> str | None:
    """The model of the registry that a judge is; None where it has none of this name."""
    if isinstance(entry, LocalJudge):
        return study.classify.judge_model
    if not isinstance(entry, ServerJudge):
        return None
    for slug, model in study.model.items():
        repo = model.source.repo if isinstance(model.source, HubSource) else None
        if entry.model in (slug, repo):
            return slug
    return None


def _rubric_tokens(setting: Setting, entry: LlmJudge) -> float:
    """Tokens of everything that a judge is told beside the data."""
    text = reply.prompt(reply.read_rubric(entry.rubric)[0], reply.Item("", "", ""))
    return len(text) / setting.assumed.characters_per_token


JOBS = jobs

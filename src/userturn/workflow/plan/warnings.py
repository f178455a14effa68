"""What a plan warns of: prompts that cannot fit, differences that could not be seen. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from userturn.stats import power
from userturn.study.judges import LIKELIHOOD, LocalJudge, ServerJudge
from userturn.study.report import ALL
from userturn.workflow.plan.cost import weights_gb
from userturn.workflow.plan.jobs.judges import runs
from userturn.workflow.plan.result import JobPlan
from userturn.workflow.plan.setting import Prompts, Setting

DIFFERENCE = 0.05
"""The difference of two rates that a study ought to see."""


def warnings(setting: Setting, jobs: Sequence[JobPlan]) -> Iterator[str]:
    """Every warning, each one sentence with its mend."""
    yield from _lengths(setting)
    yield from _power(setting)
    yield from _memory(setting)
    yield from _hours(setting, jobs)
    yield from _ceilings(setting, jobs)


def room(limit: int, *reserved: float) -> float:
    """Tokens that are left for a prompt of a context; negative where nothing is.

    >>> room(4096, 128, 40, 30)
    3898

    Args:
        limit: Longest context plus completion.
        reserved: What else stands in it at most.
    """
    return limit - sum(reserved)


def too_long(prompts: Prompts, tokens: float) -> str | None:
    """What of a dataset's prompts does not fit some tokens; None where all do, as far as known."""
    if tokens <= 0:
        return "no prompt"
    if prompts.tokens > tokens:
        return f"prompts of {prompts.tokens:.0f} tokens, the mean,"
    if prompts.longest is not None and prompts.longest > tokens:
        return f"prompts of up to {prompts.longest:.0f} tokens"
    return None


def _lengths(setting: Setting) -> Iterator[str]:
    """Prompts that leave no room in a model, the scorer or a judge for what is to come."""
    study, assumed = setting.study, setting.assumed
    answer, turn = study.generate.answer.max_tokens, study.generate.user_turn.max_tokens
    asked = dict.fromkeys(study.models.probe, (answer, turn, assumed.template_tokens))
    scorer = study.ground.scorer
    asked.setdefault(scorer, (answer, turn, assumed.template_tokens))
    lacking: dict[tuple[str, str, float], list[str]] = defaultdict(list)
    unknown = []
    for slug, reserved in asked.items():
        entry = study.model.get(slug)
        limit = entry.engine.max_model_len if entry else None
        if limit is None:
            unknown.append(slug)
            continue
        left = room(limit, *reserved)
        for dataset, prompts in setting.prompts.items():
            if what := too_long(prompts, left):
                lacking[dataset, what, left].append(slug)
    for (dataset, what, left), slugs in lacking.items():
        yield (
            f"dataset.{dataset}: {what} may not fit {_listed(slugs)}, which leaves "
            f"{max(0, left):.0f} tokens beside an answer of {answer} and a turn of {turn}: such "
            "rows are skipped; raise engine.max_model_len, or lower generate.answer.max_tokens"
        )
    if unknown:
        yield (
            f"{_listed(unknown)}: engine.max_model_len is null, so whether prompts fit is known "
            "only with the weights"
        )


def _power(setting: Setting) -> Iterator[str]:
    """Datasets too small to show a difference of five points."""
    psi, confidence = setting.assumed.discordance, setting.study.statistics.confidence
    needed = power.prompts_needed(DIFFERENCE, psi, confidence)
    counts = {slug: one.count for slug, one in setting.prompts.items()}
    for name, count in {**counts, ALL: setting.count}.items():
        if count >= needed:
            continue
        least = power.smallest_visible(psi, count, confidence) if count else None
        seen = "none" if least is None else f"{100 * least:.1f} points"
        where = "all datasets together" if name == ALL else f"dataset {name}"
        yield (
            f"{where}: {count} prompts show a difference of {100 * DIFFERENCE:g} points in fewer "
            f"than {power.POWER:.0%} of studies (smallest: {seen}; needed: {needed:.0f} prompts, "
            f"if {psi:.0%} of them differ)"
        )


def _memory(setting: Setting) -> Iterator[str]:
    """Models whose weights do not fit their GPUs, or whose size nobody gave."""
    study = setting.study
    for slug in dict.fromkeys([*study.models.pretrained, *study.models.probe]):
        entry = study.model.get(slug)
        if entry is None:
            continue
        size = weights_gb(entry)
        if size is None or entry.parameters is None:
            yield f"model.{slug}.parameters: is missing, so its hours cannot be told; write it down"
        elif entry.resources.gpus:
            share = entry.engine.gpu_memory_share
            memory = entry.resources.gpus * setting.assumed.gpu_memory_gb * share
            if size > memory:
                yield (
                    f"model.{slug}: {size:.0f} GB of weights do not fit "
                    f"{entry.resources.gpus} GPUs ({memory:.0f} GB); raise "
                    "engine.tensor_parallel and resources.gpus"
                )


def _hours(setting: Setting, jobs: Sequence[JobPlan]) -> Iterator[str]:
    """Jobs that a scheduler would end before they are done."""
    longest: dict[tuple[str, str], float] = defaultdict(float)
    for job in jobs:
        if job.runs_on is not None and job.hours is not None and not _is_served(setting, job):
            longest[job.stage, job.runs_on] += job.hours
    for (stage, slug), hours in longest.items():
        limit = setting.study.model[slug].resources.hours
        if hours > limit:
            yield (
                f"{stage}: about {hours:.1f} hours, and model.{slug}.resources.hours is {limit:g}: "
                "the scheduler would end the job, and a second try goes on with the rest; raise it"
            )


def _ceilings(setting: Setting, jobs: Sequence[JobPlan]) -> Iterator[str]:
    """Judges whose ceiling of tokens is too low, or whom no model of the registry runs."""
    study = setting.study
    for name in study.classify.judges:
        entry = study.judge.get(name)
        if name == LIKELIHOOD or not isinstance(entry, ServerJudge):
            continue
        asked = [job for job in jobs if job.kind == f"judge {name}"]
        tokens = sum(job.tokens_in + job.tokens_out for job in asked)
        if tokens > entry.max_total_tokens:
            yield (
                f"judge.{name}.max_total_tokens: is {entry.max_total_tokens:,}, and all turns take "
                f"about {tokens:,.0f} tokens: the run would end with an error; raise it"
            )
        if entry.key_env is None and runs(study, entry) is None:
            yield (
                f"judge.{name}.model: '{entry.model}' is no model of the registry, so the GPU "
                "hours of its server are not in the plan"
            )


def _is_served(setting: Setting, job: JobPlan) -> bool:
    """Whether a server that is not one of the study's jobs computes it."""
    judge = setting.study.judge.get(job.kind.removeprefix("judge "))
    return judge is not None and not isinstance(judge, LocalJudge)


def _listed(slugs: Sequence[str]) -> str:
    """Slugs in a sentence, the first three by name."""
    shown = ", ".join(slugs[:3])
    return shown if len(slugs) <= 3 else f"{shown} and {len(slugs) - 3} more models"

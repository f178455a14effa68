"""A plan made of what is known and of the jobs. Pure below `make`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from userturn.study.report import ALL
from userturn.study.study import Study
from userturn.workflow.asked import Counted
from userturn.workflow.counts import UNKNOWN
from userturn.workflow.plan import jobs as kinds
from userturn.workflow.plan import known
from userturn.workflow.plan.assumptions import Assumptions
from userturn.workflow.plan.cost import Load, seconds, weights_gb
from userturn.workflow.plan.result import (
    Assumed,
    DatasetPlan,
    JobPlan,
    ModelPlan,
    Plan,
    Prices,
)
from userturn.workflow.plan.setting import Job, Setting
from userturn.workflow.plan.warnings import warnings

OWN = ("answers", "user turns", "controls")
"""Kinds of requests that a probed model answers itself."""


def make(study: Study, file: Path, prices: Prices, assumed: Assumptions) -> Plan:
    """What a study is going to cost; fetches nothing, loads no engine.

    Args:
        study: The study.
        file: Where it was read from.
        prices: What things cost.
        assumed: What to take for granted.

    Raises:
        StudyError: Nobody knows how many prompts a dataset has.
    """
    here = known.is_of_this_folder(study)
    setting = Setting(
        study,
        {slug: known.prompts(study, slug, assumed, here) for slug in study.prompts.datasets},
        {slug: known.lengths(study, slug, assumed, here) for slug in study.models.probe},
        assumed,
    )
    return plan_of(setting, known.finished(study, here), file, prices)


def plan_of(setting: Setting, finished: known.Finished, file: Path, prices: Prices) -> Plan:
    """The plan of a setting.

    Args:
        setting: The study and what is known of it.
        finished: Requests that are answered already.
        file: Where the study was read from.
        prices: What things cost.
    """
    asked = [job for kind in kinds.load_all().values() for job in kind(setting)]
    planned = tuple(
        _job(setting, job, finished.get((job.stage, job.kind), UNKNOWN), prices) for job in asked
    )
    study = setting.study
    slugs = dict.fromkeys([*study.models.pretrained, *study.models.trained, *study.models.probe])
    models = tuple(_model(setting, slug, planned) for slug in slugs)
    return Plan(
        study=str(file),
        prices=prices,
        datasets=tuple(
            DatasetPlan(slug, one.count, one.tokens, one.longest, one.basis)
            for slug, one in setting.prompts.items()
        ),
        models=models,
        total=_total(models, [job for job in planned if job.model is None], setting),
        jobs=planned,
        measured_lengths=tuple(slug for slug, length in setting.lengths.items() if length.measured),
        warnings=tuple(warnings(setting, planned)),
        assumptions=tuple(Assumed(*one) for one in setting.assumed.stated()),
    )


def _job(setting: Setting, job: Job, counted: Counted, prices: Prices) -> JobPlan:
    """One job with what is finished of it, and what the rest takes."""
    whole = job.load
    if counted.wanted is not None and whole.requests:
        whole = whole.scaled(counted.wanted / whole.requests)
    finished = None if counted.finished is None else min(counted.finished, whole.requests)
    rest = remaining(whole, finished)
    entry = setting.study.model.get(job.runs_on or "")
    took = None
    if entry is not None:
        took = seconds(entry, rest, setting.assumed, scores=job.scores)
    hours = None if took is None else took / 3600
    gpus = entry.resources.gpus if entry else 0
    gpu_hours = None if hours is None else gpus * hours
    if job.priced:
        cost = _money(
            (rest.tokens_in / 1e6, prices.judge_in), (rest.tokens_out / 1e6, prices.judge_out)
        )
    else:
        cost = _money((gpu_hours, prices.gpu_hour))
    return JobPlan(
        stage=job.stage,
        kind=job.kind,
        model=job.about,
        runs_on=job.runs_on,
        requests=whole.requests,
        finished=finished,
        tokens_in=whole.tokens_in,
        tokens_out=whole.tokens_out,
        tokens_out_most=whole.tokens_out_most,
        gpus=gpus,
        hours=hours,
        gpu_hours=gpu_hours,
        cost=cost,
    )


def remaining(load: Load, finished: int | None) -> Load:
    """What is not finished, in proportion; everything where that is not known."""
    if not finished or not load.requests:
        return load
    return load.scaled(max(0.0, 1 - finished / load.requests))


def _money(*parts: tuple[float | None, float | None]) -> float | None:
    """Amounts times prices; None where one of either is not known."""
    total = 0.0
    for amount, price in parts:
        if amount is None or price is None:
            return None
        total += amount * price
    return total


def added(values: Iterable[float | None]) -> float | None:
    """A sum of what is known; None where there is something and nothing of it is known."""
    parts = list(values)
    numbers = [value for value in parts if value is not None]
    return sum(numbers) if numbers or not parts else None


def _whole(values: Iterable[int | None]) -> int | None:
    """A sum of counts; None where one is not known."""
    counts = list(values)
    return None if None in counts else sum(count for count in counts if count is not None)


def _model(setting: Setting, slug: str, planned: Sequence[JobPlan]) -> ModelPlan:
    entry = setting.study.model.get(slug)
    about = [job for job in planned if job.model == slug]
    own = [job for job in about if job.kind in OWN]
    scored = [job for job in about if job.kind == "likelihoods"]
    judged = [job for job in about if job.kind.startswith("judge ")]
    probed = slug in setting.study.models.probe
    size, stored = weights_gb(entry) if entry else None, _stored_gb(about, setting)
    return ModelPlan(
        model=slug,
        probed=probed,
        prompts=setting.count if probed else 0,
        requests=sum(job.requests for job in own),
        finished=_whole(job.finished for job in own),
        tokens_in=sum(job.tokens_in for job in own),
        tokens_out=sum(job.tokens_out for job in own),
        tokens_out_most=sum(job.tokens_out_most for job in own),
        weights_gb=size,
        gpus=entry.resources.gpus if entry else 0,
        hours=added(job.hours for job in own),
        scorer_hours=added(job.hours for job in scored),
        judge_hours=added(job.hours for job in judged),
        judge_tokens_in=sum(job.tokens_in for job in judged),
        judge_tokens_out=sum(job.tokens_out for job in judged),
        judge_cost=added(job.cost for job in judged if job.runs_on is None),
        gpu_hours=added(job.gpu_hours for job in about),
        cost=added(job.cost for job in about),
        stored_gb=stored,
        disk_gb=None if size is None else size + stored,
    )


def _stored_gb(jobs: Iterable[JobPlan], setting: Setting) -> float:
    """Stores and artifacts that hold the rows of some jobs."""
    assumed = setting.assumed
    return (
        sum(
            job.requests
            * (assumed.likelihood_bytes if job.kind == "likelihoods" else assumed.row_bytes)
            for job in jobs
        )
        / 1e9
    )


def _total(models: Sequence[ModelPlan], whole: Sequence[JobPlan], setting: Setting) -> ModelPlan:
    """The sum over models, and jobs of the whole study, which the scorer does."""
    size = added(one.weights_gb for one in models)
    stored = sum(one.stored_gb for one in models) + _stored_gb(whole, setting)
    return ModelPlan(
        model=ALL,
        probed=True,
        prompts=sum(one.prompts for one in models),
        requests=sum(one.requests for one in models),
        finished=_whole(one.finished for one in models),
        tokens_in=sum(one.tokens_in for one in models),
        tokens_out=sum(one.tokens_out for one in models),
        tokens_out_most=sum(one.tokens_out_most for one in models),
        weights_gb=size,
        gpus=max(one.gpus for one in models),
        hours=added(one.hours for one in models),
        scorer_hours=added([*(one.scorer_hours for one in models), *(job.hours for job in whole)]),
        judge_hours=added(one.judge_hours for one in models),
        judge_tokens_in=sum(one.judge_tokens_in for one in models),
        judge_tokens_out=sum(one.judge_tokens_out for one in models),
        judge_cost=added(one.judge_cost for one in models),
        gpu_hours=added([*(one.gpu_hours for one in models), *(job.gpu_hours for job in whole)]),
        cost=added([*(one.cost for one in models), *(job.cost for job in whole)]),
        stored_gb=stored,
        disk_gb=None if size is None else size + stored,
    )

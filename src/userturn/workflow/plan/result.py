"""A plan: what `userturn plan --json` prints."""

from __future__ import annotations

from dataclasses import dataclass

from userturn.workflow.plan.setting import Basis


@dataclass(frozen=True, slots=True)
class Prices:
    """What things cost, in one currency; None: not given, and no cost is worked out.

    Attributes:
        gpu_hour: One GPU for one hour.
        judge_in: A million tokens that a judge behind a key reads.
        judge_out: A million tokens that it writes.
    """

    gpu_hour: float | None = None
    judge_in: float | None = None
    judge_out: float | None = None


@dataclass(frozen=True, slots=True)
class DatasetPlan:
    """Prompts of one dataset: how many, how long, and what says so."""

    dataset: str
    prompts: int
    mean_tokens: float
    longest_tokens: float | None
    basis: Basis


@dataclass(frozen=True, slots=True)
class JobPlan:
    """All requests of one kind of one stage.

    Attributes:
        stage: Stage.
        kind: What the requests are for.
        model: Probed model whose rows they make; None for the whole study.
        runs_on: Model that computes; None: a server that is not in the registry.
        requests: Different requests.
        finished: Those that are answered already; None: not known, and counted as none.
        tokens_in: Tokens of all requests as they are sent.
        tokens_out: Tokens written, as expected.
        tokens_out_most: The same where every completion runs to its limit.
        gpus: GPUs of the model that computes.
        hours: Wall-clock of what is not finished; None: the model's size is not known, or a
            server computes.
        gpu_hours: The same times the GPUs.
        cost: Money for what is not finished; None: no price was given, or it cannot be told.
    """

    stage: str
    kind: str
    model: str | None
    runs_on: str | None
    requests: int
    finished: int | None
    tokens_in: float
    tokens_out: float
    tokens_out_most: float
    gpus: int
    hours: float | None
    gpu_hours: float | None
    cost: float | None


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """One model, or the sum over all and stage `calibrate`.

    Attributes:
        model: Slug; `all` for the sum.
        probed: Whether it answers and writes turns; others only score or judge.
        prompts: Prompts that it answers.
        requests: Completions that are asked of it: answers, user turns, controls.
        finished: Those that are answered already; None: not known.
        tokens_in: Tokens of their contexts.
        tokens_out: Tokens that it writes, as expected.
        tokens_out_most: The same where every completion runs to its limit.
        weights_gb: Its weights on disk; None: the registry does not say.
        gpus: GPUs of its jobs; of the sum, of the largest job.
        hours: Wall-clock of its own jobs.
        scorer_hours: Wall-clock of the scorer on its turns.
        judge_hours: Wall-clock of judges that are models of the registry.
        judge_tokens_in: Tokens that all LLM judges read about its turns.
        judge_tokens_out: Tokens that they write.
        judge_cost: Money for judges behind a key.
        gpu_hours: GPU hours of all these.
        cost: Money for all these.
        stored_gb: Stores and artifacts.
        disk_gb: These and the weights; None where the weights' size is not known.
    """

    model: str
    probed: bool
    prompts: int
    requests: int
    finished: int | None
    tokens_in: float
    tokens_out: float
    tokens_out_most: float
    weights_gb: float | None
    gpus: int
    hours: float | None
    scorer_hours: float | None
    judge_hours: float | None
    judge_tokens_in: float
    judge_tokens_out: float
    judge_cost: float | None
    gpu_hours: float | None
    cost: float | None
    stored_gb: float
    disk_gb: float | None


@dataclass(frozen=True, slots=True)
class Assumed:
    """A number that the plan takes for granted."""

    name: str
    value: float
    unit: str
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a study is going to cost. Hours and money are of what is not finished.

    Attributes:
        study: File of the study.
        prices: What costs were worked out with.
        datasets: Its datasets.
        models: Its models.
        total: Sum over models and stage `calibrate`; hours run one after the other.
        jobs: Every kind of request of every stage.
        measured_lengths: Models of which lengths were taken from artifacts.
        warnings: What will not work, or would not show what is asked.
        assumptions: What is taken for granted.
    """

    study: str
    prices: Prices
    datasets: tuple[DatasetPlan, ...]
    models: tuple[ModelPlan, ...]
    total: ModelPlan
    jobs: tuple[JobPlan, ...]
    measured_lengths: tuple[str, ...]
    warnings: tuple[str, ...]
    assumptions: tuple[Assumed, ...]

"""`userturn plan`: what a study is going to cost, as tables of 80 columns or as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from userturn.study.loading import load_study
from userturn.workflow.plan.assumptions import assume
from userturn.workflow.plan.make import added, make
from userturn.workflow.plan.result import JobPlan, ModelPlan, Plan, Prices

SCHEMA = TypeAdapter(Plan)
"""Of the JSON that `--json` prints."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to plan, and how.

    Attributes:
        study: File of the study.
        prices: What things cost.
        settings: Assumptions to set anew, each `name=number`.
        as_json: Print JSON instead of tables.
    """

    study: Path
    prices: Prices
    settings: Sequence[str]
    as_json: bool


def run_plan(options: Options) -> None:
    """Print the plan of a study.

    Raises:
        UserturnError: The study or an assumption cannot be read.
    """
    assumed = assume(options.settings)
    plan = make(load_study(options.study), options.study, options.prices, assumed)
    if options.as_json:
        print(SCHEMA.dump_json(plan, indent=2).decode())
    else:
        Console().print(shown(plan))


def shown(plan: Plan) -> RenderableType:
    """The plan for a terminal."""
    return Group(*_parts(plan))


def _parts(plan: Plan) -> Iterator[RenderableType]:
    yield Text(f"{plan.study}: hours and cost are of what is not finished", "bold")
    yield _table(
        ("dataset", "prompts", "mean tokens", "longest", "known by"),
        (
            (
                one.dataset,
                f"{one.prompts:,}",
                f"{one.mean_tokens:.0f}",
                _number(one.longest_tokens),
                one.basis,
            )
            for one in plan.datasets
        ),
    )
    models = [*plan.models, plan.total]
    yield _table(
        ("asked of a model", "prompts", "requests", "finished", "tokens in", "out", "at most"),
        (
            (
                one.model,
                f"{one.prompts:,}",
                f"{one.requests:,}",
                _count(one.finished),
                _short(one.tokens_in),
                _short(one.tokens_out),
                _short(one.tokens_out_most),
            )
            for one in models
        ),
    )
    yield _table(
        ("runs on", "weights GB", "GPUs", "own h", "scorer h", "judge h", "GPU h", "cost"),
        (
            (
                one.model,
                _number(one.weights_gb, 1),
                str(one.gpus),
                _number(one.hours, 1),
                _number(one.scorer_hours, 1),
                _number(one.judge_hours, 1),
                _number(one.gpu_hours, 1),
                _number(one.cost),
            )
            for one in models
        ),
    )
    yield _table(
        ("kind of request", "requests", "finished", "tokens in", "out", "hours", "GPU h", "cost"),
        (_kind(kind, jobs) for kind, jobs in _by_kind(plan.jobs).items()),
    )
    yield Text(_in_words(plan))
    yield from _listed("Warnings", plan.warnings)
    yield from _listed(
        "Assumed (set one with --assume NAME=VALUE)",
        [f"{one.name} = {one.value:g} {one.unit}: {one.why}" for one in plan.assumptions],
    )


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> RenderableType:
    """A table, the first column of words and the others of numbers."""
    first, *others = names
    table = Table(
        Column(first, overflow="fold"),
        *(Column(name, justify="right") for name in others),
        box=None,
        pad_edge=False,
    )
    for row in rows:
        table.add_row(*row)
    return Padding(table, (1, 0, 0, 0))


def _by_kind(jobs: Iterable[JobPlan]) -> dict[str, list[JobPlan]]:
    kinds: dict[str, list[JobPlan]] = {}
    for job in jobs:
        name = "calibration" if job.model is None else job.kind
        kinds.setdefault(name, []).append(job)
    return kinds


def _kind(kind: str, jobs: Sequence[JobPlan]) -> tuple[str, ...]:
    """All jobs of a kind in one row."""
    finished = [job.finished for job in jobs]
    known = [count for count in finished if count is not None]
    return (
        kind,
        f"{sum(job.requests for job in jobs):,}",
        _count(sum(known) if len(known) == len(finished) else None),
        _short(sum(job.tokens_in for job in jobs)),
        _short(sum(job.tokens_out for job in jobs)),
        _number(added(job.hours for job in jobs), 1),
        _number(added(job.gpu_hours for job in jobs), 1),
        _number(added(job.cost for job in jobs)),
    )


def _in_words(plan: Plan) -> str:
    total: ModelPlan = plan.total
    disk = _number(total.disk_gb, 1)
    lines = [
        "",
        f"Disk: {disk} GB, of it stores and artifacts {total.stored_gb:.2f} GB. Scorer: "
        f"{_number(total.scorer_hours, 1)} hours.",
        "Hours are what the hardware could do, one job after the other: no queue, no warm-up, no "
        f"full cache. The largest job takes {total.gpus} GPUs.",
    ]
    if total.judge_tokens_in:
        money = "" if not total.judge_cost else f", those behind keys for {total.judge_cost:,.2f}"
        lines.append(
            f"LLM judges read {_short(total.judge_tokens_in)} tokens and write "
            f"{_short(total.judge_tokens_out)}{money}."
        )
    if plan.prices.gpu_hour is None:
        lines.append("GPU hours have no cost here: give --price-per-gpu-hour.")
    if plan.measured_lengths:
        lines.append(f"Lengths as measured here of: {', '.join(plan.measured_lengths)}.")
    return "\n".join(lines)


def _listed(head: str, lines: Sequence[str]) -> Iterator[RenderableType]:
    if lines:
        yield Padding(Text(head, "bold"), (1, 0, 0, 0))
    for line in lines:
        table = Table.grid(padding=(0, 1))
        table.add_row("-", Text(line))
        yield table


def _count(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _number(value: float | None, digits: int = 0) -> str:
    """A number to some digits; small ones keep two that mean something."""
    if value is None:
        return "?"
    return f"{value:.2g}" if 0 < value < 0.05 else f"{value:,.{digits}f}"


def _short(value: float) -> str:
    """A count of tokens in thousands, millions or billions.

    >>> _short(1234567)
    '1.2M'
    """
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.1f}{unit}"
    return f"{value:.0f}"

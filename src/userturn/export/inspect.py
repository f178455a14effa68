"""Inspect logs: one per model and setting, a sample per turn, a scorer per judge and person.

A setting is a condition at a temperature, as rates are reported. Metrics of a scorer are the rates
of table `rates` over all datasets; nothing is counted anew. The format is that of inspect-ai's own
writer (https://inspect.aisi.org.uk/eval-logs.html).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from userturn import tables
from userturn.artifacts import provenance
from userturn.artifacts.csv_file import Row
from userturn.artifacts.schemas import OWN, SHOWN
from userturn.base import paths
from userturn.base.errors import UserturnError
from userturn.base.progress import progress
from userturn.export import Format
from userturn.export._turns import measures, table
from userturn.study.report import ALL
from userturn.study.study import Study

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample, EvalScore
    from inspect_ai.scorer import Score

METRICS = ("rate", "low", "high", "lenient", "adjusted")
ENDS = {"length": "max_tokens"}


def write(study: Study, folder: Path) -> int:
    """Write `<model>_<condition>_t<temperature>.eval` for every model and setting."""
    try:
        from inspect_ai.log import write_eval_log
    except ImportError:
        raise UserturnError(
            "Inspect logs are written by inspect-ai, which is not installed: "
            "`pip install 'userturn[inspect]'`"
        ) from None
    rates = tables.read("rates")
    turns = 0
    models = study.models.probe
    with progress("export inspect", len(models), "models") as advance:
        for slug in models:
            rows = table(study, slug)
            turns += rows.height
            settings = rows.partition_by("condition", "temperature", as_dict=True)
            for (condition, temperature), some in settings.items():
                wanted = {"model": slug, "condition": condition, "temperature": temperature}
                name = f"{slug}_{condition}_t{temperature:g}"
                write_eval_log(_log(study, wanted, some.to_dicts(), rates), folder / f"{name}.eval")
            advance(0)
    return turns


def _log(study: Study, setting: Row, rows: list[Row], rates: Iterable[Row]) -> EvalLog:
    from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalResults, EvalSpec, EvalStats
    from inspect_ai.log._log import EvalScorer

    slug = setting["model"]
    made = provenance.read(paths.artifact("user_turns", slug))
    judges = provenance.read(paths.artifact("labels", slug))["judges"]
    samples = [_sample(slug, row) for row in rows]
    scorers = list(dict.fromkeys(name for sample in samples for name in sample.scores or {}))
    scores = [_results(name, samples, _rate(rates, {**setting, "judge": name})) for name in scorers]
    identity = repr([made["weights"], *setting.values(), *(row["request_id"] for row in rows)])
    number = hashlib.sha256(identity.encode()).hexdigest()[:22]
    time = datetime.now(UTC).isoformat(timespec="seconds")
    spec = EvalSpec(
        created=time,
        eval_id=number,
        run_id=number,
        task_id=number,
        task=f"userturn_{setting['condition']}_t{setting['temperature']:g}",
        task_display_name=f"User turns: {setting['condition']}, {setting['temperature']:g}",
        task_args={**setting, "seed": study.seed, "primary": study.classify.primary},
        model=slug,
        model_args={"weights": made["weights"], **made["engine"]},
        dataset=EvalDataset(
            name=", ".join(study.prompts.datasets),
            samples=len(samples),
            sample_ids=list(dict.fromkeys(str(sample.id) for sample in samples)),
        ),
        config=EvalConfig(epochs=max((sample.epoch for sample in samples), default=1)),
        packages=made["packages"],
        scorers=[EvalScorer(name=name, metadata=judges.get(name)) for name in scorers],
        metadata={"params": made["params"], "chat_template": made["chat_template"]},
    )
    results = EvalResults(
        total_samples=len(samples),
        completed_samples=sum(sample.error is None for sample in samples),
        scores=scores,
    )
    stats = EvalStats(started_at=time, completed_at=time)
    return EvalLog(status="success", eval=spec, results=results, stats=stats, samples=samples)


def _sample(slug: str, row: Row) -> EvalSample:
    from inspect_ai._util.error import EvalError
    from inspect_ai.log import EvalSample
    from inspect_ai.model import (
        ChatCompletionChoice,
        ChatMessageAssistant,
        ChatMessageSystem,
        ChatMessageUser,
        ModelOutput,
    )

    roles = {
        "system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant,
    }  # fmt: skip
    shown = [roles[one["role"]](content=one["content"]) for one in row["earlier"] or ()]
    shown += [ChatMessageUser(content=row["query"])]
    shown += [ChatMessageAssistant(content=row["shown"], model=slug)] if row["shown"] else []
    sample = EvalSample(
        id=f"{row['dataset']}/{row['item']}",
        epoch=row["sample"] + 1,
        input=shown,
        target="",
        metadata={
            name: row[name]
            for name in ("dataset", "end", "stripped", "context_tokens", "request_id", *measures())
        },
    )
    if row["skipped"] is not None:
        return sample.model_copy(
            update={"error": EvalError(message=row["skipped"], traceback="", traceback_ansi="")}
        )
    choice = ChatCompletionChoice(
        message=ChatMessageAssistant(content=row["text"], model=slug),
        stop_reason=ENDS.get(row["end"], "stop"),
    )
    return sample.model_copy(
        update={
            "messages": [*shown, ChatMessageUser(content=row["text"])],
            "output": ModelOutput(model=slug, choices=[choice]),
            "scores": _scores(row["labels"]),
        }
    )


def _scores(labels: list[Row]) -> dict[str, Score]:
    """What is said of a turn against the answer that it saw; what against its own, beside it."""
    unseen = {
        said["judge"]: {"against_own": said["label"]} for said in labels if said["against"] == OWN
    }
    return {
        scorer(said): _score(said, {} if said["person"] else unseen.get(said["judge"], {}))
        for said in labels
        if said["against"] == SHOWN
    }


def scorer(said: Row) -> str:
    """Name of who says it; a person's never is that of a judge."""
    return f"person/{said['judge']}" if said["person"] else str(said["judge"])


def _score(said: Row, more: Row) -> Score:
    from inspect_ai.scorer import Score

    facts = {
        name: said[name]
        for name in ("probability", "evidence_turn", "evidence_answer")
        if said[name] is not None
    }
    if said["label"] is None:
        return Score.unscored(reason="invalid", explanation=said["invalid"], metadata=facts | more)
    return Score(value=said["label"], explanation=said["reason"], metadata=facts | more)


def _results(name: str, samples: list[EvalSample], rate: Row | None) -> EvalScore:
    from inspect_ai.log import EvalMetric, EvalScore

    values = [sample.scores[name].value for sample in samples if name in (sample.scores or {})]
    labelled = sum(isinstance(value, str) for value in values)
    metrics: dict[str, Any] = {
        metric: EvalMetric(name=metric, value=rate[metric])
        for metric in METRICS
        if rate and rate[metric] is not None
    }
    return EvalScore(
        name=name,
        scorer=name,
        scored_samples=labelled,
        unscored_samples=len(samples) - labelled,
        metrics=metrics,
    )


def _rate(rates: Iterable[Row], wanted: Row) -> Row | None:
    """The rate over all datasets; people have none."""
    wanted = {**wanted, "dataset": ALL}
    fitting = (row for row in rates if all(row[name] == wanted[name] for name in wanted))
    return next(fitting, None)


FORMAT = Format(
    "Inspect logs, one per model, condition and temperature: a sample per turn, a scorer per judge",
    "inspect view --log-dir {folder}",
    write,
)

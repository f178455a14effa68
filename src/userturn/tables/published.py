"""Table `published`: every number of the paper beside this study's estimate and interval.

`verdict` is `agrees` where what was published and the study's interval have a value in common,
`differs` where they have none, and `not measured` where this study has no such number; `why` then
says what it lacks. Rates are the primary judge's. Counts and sizes have no interval. A folder
without `studies/published.yaml` has no rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from userturn.artifacts.csv_file import Kind, Row, of
from userturn.artifacts.schemas import BASE
from userturn.study.published import PublishedNumber, read_published
from userturn.study.report import ALL
from userturn.tables._groups import GREEDY
from userturn.tables._results import Results
from userturn.tables._table import Table

AGREES, DIFFERS, NOT_MEASURED = "agrees", "differs", "not measured"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a study has of a number.

    Attributes:
        value: The estimate; None where there is none.
        low: Least of its interval; None: it has none.
        high: Most of its interval.
        lacking: Why there is no estimate.
        where: Model, dataset and temperature that it is of, where the study chose them.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    lacking: str = ""
    where: Mapping[str, Any] | None = None


def rows(results: Results) -> list[Row]:
    """One row per number, and of numbers of several models one per model."""
    published = read_published()
    if published is None:
        return []
    return [
        row_of(number, model, estimate_of(results, number, model))
        for number in published.numbers
        for model in models_of(results, number)
    ]


def models_of(results: Results, number: PublishedNumber) -> list[str | None]:
    """Models that a number has a row for; None: it is of no single one."""
    if number.models is None:
        return [None]
    if number.models == "each":
        return [model.slug for model in results.models]
    return list(number.models)


def row_of(number: PublishedNumber, model: str | None, estimate: Estimate) -> Row:
    """One number beside its estimate."""
    low, high = number.bounds
    verdict, why = compared(number, estimate)
    place = {
        "model": model or "",
        "dataset": (number.datasets or [""])[0],
        "condition": number.condition or "",
        "temperature": number.temperature,
        **(estimate.where or {}),
    }
    return {
        "number": number.name,
        "what": number.what,
        "mark": number.mark,
        "source": number.source,
        "quantity": number.quantity,
        **place,
        "published": number.value,
        "published_low": None if low == float("-inf") else low,
        "published_high": None if high == float("inf") else high,
        "estimate": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "verdict": verdict,
        "why": why,
    }


def compared(number: PublishedNumber, estimate: Estimate) -> tuple[str, str]:
    """Verdict, and why where it needs words."""
    if estimate.value is None:
        return NOT_MEASURED, estimate.lacking
    least, most = number.bounds
    low = estimate.value if estimate.low is None else estimate.low
    high = estimate.value if estimate.high is None else estimate.high
    if high < least or low > most:
        return DIFFERS, ""
    if least < most and not least <= low <= high <= most:
        return AGREES, "the interval also holds values outside of what was published"
    return AGREES, ""


def estimate_of(results: Results, number: PublishedNumber, model: str | None) -> Estimate:
    """What the study has of a number."""
    if model is not None and model not in results.study.models.probe:
        return Estimate(lacking=f"the study does not probe the model {model}")
    return QUANTITIES[number.quantity](results, number, model)


def _count(results: Results, number: PublishedNumber, _model: str | None) -> Estimate:
    study = results.study
    counts = {
        "models": len(study.models.probe),
        "families": len({study.model[slug].family for slug in study.models.probe}),
        "datasets": len(study.prompts.datasets),
    }
    return Estimate(float(counts[number.quantity]))


def _size(results: Results, number: PublishedNumber, model: str | None) -> Estimate:
    size: float | None = getattr(results.study.model[str(model)], number.quantity)
    return Estimate(size, lacking=f"registry.yaml does not say {number.quantity} of {model}")


def _accuracy(results: Results, number: PublishedNumber, model: str | None) -> Estimate:
    ours = _dataset(results, number)
    if ours is None:
        return Estimate(lacking=f"the study lacks the dataset {' or '.join(number.datasets or [])}")
    row = _only(results.table("accuracy"), model=model, dataset=ours)
    return Estimate(
        row["strict"],
        row["strict_low"],
        row["strict_high"],
        lacking="no answer could be scored",
        where={"dataset": ours},
    )


def _rate(results: Results, number: PublishedNumber, model: str | None) -> Estimate:
    return _group(results, number, model, "rates", "rate", BASE)


def _difference(results: Results, number: PublishedNumber, model: str | None) -> Estimate:
    if number.condition not in results.study.perturb.conditions:
        return Estimate(lacking=f"the study lacks the condition {number.condition}")
    return _group(results, number, model, "controls", "difference", str(number.condition))


def _group(
    results: Results,
    number: PublishedNumber,
    model: str | None,
    table: str,
    column: str,
    condition: str,
) -> Estimate:
    """A cell of the primary judge's rows of a table."""
    ours = ALL if number.datasets is None else _dataset(results, number)
    if ours is None:
        return Estimate(lacking=f"the study lacks the dataset {' or '.join(number.datasets or [])}")
    asked = {"model": model, "dataset": ours, "condition": condition}
    row = _only(_primary(results, table), **asked, temperature=number.temperature)
    if row is None:
        return Estimate(lacking=f"the study has no turns at temperature {number.temperature:g}")
    nothing = "no turn has a valid label"
    return Estimate(row[column], row["low"], row["high"], nothing, {"dataset": ours})


def _highest(results: Results, _number: PublishedNumber, _model: str | None) -> Estimate:
    """The highest rate of any model and dataset at a temperature above zero."""
    warmer = [
        row
        for row in _primary(results, "rates")
        if row["condition"] == BASE and row["temperature"] > GREEDY and row["rate"] is not None
    ]
    if not warmer:
        return Estimate(lacking="the study has no labelled turns at a temperature above 0")
    best = max(warmer, key=lambda row: (row["rate"], -row["temperature"]))
    where = {name: best[name] for name in ("model", "dataset", "temperature")}
    return Estimate(best["rate"], best["low"], best["high"], where=where)


QUANTITIES: dict[str, Callable[[Results, PublishedNumber, str | None], Estimate]] = {
    "models": _count,
    "families": _count,
    "datasets": _count,
    "parameters": _size,
    "active_parameters": _size,
    "accuracy": _accuracy,
    "rate": _rate,
    "highest_rate": _highest,
    "difference": _difference,
}
"""How a study estimates each quantity."""


def _dataset(results: Results, number: PublishedNumber) -> str | None:
    """The study's dataset among the slugs of a number."""
    ours = results.study.prompts.datasets
    return next((slug for slug in number.datasets or [] if slug in ours), None)


def _primary(results: Results, table: str) -> Iterator[Row]:
    return (row for row in results.table(table) if row["primary"])


def _only(rows: Any, **wanted: Any) -> Any:
    """The row whose cells are as wanted; None where there is none."""
    return next((row for row in rows if all(row[k] == v for k, v in wanted.items())), None)


TABLE = Table(
    {
        "number": Kind.NAME,
        "what": Kind.TEXT,
        "mark": Kind.NAME,
        "source": Kind.TEXT,
        **of(Kind.NAME, "quantity model dataset condition"),
        "temperature": Kind.NUMBER,
        **of(Kind.NUMBER, "published published_low published_high estimate low high"),
        "verdict": Kind.NAME,
        "why": Kind.TEXT,
    },
    rows,
)

"""What a form is, what it is made of, and how its cells read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from userturn.artifacts.csv_file import Row
from userturn.artifacts.schemas import BASE
from userturn.study.report import ALL
from userturn.tables._groups import GREEDY
from userturn.tables._names import model_names
from userturn.tables._results import Results

NOTHING = "–"  # noqa: RUF001 - how a printed table says that there is no number
MINUS = "−"  # noqa: RUF001 - a real minus sign
Cells = dict[str, str]
"""A row: what stands below each heading."""


@dataclass(frozen=True)
class Source:
    """What forms are made of.

    Attributes:
        results: The results, with all tables.
        names: What models are called, by slug, in the order of the tables.
    """

    results: Results
    names: Mapping[str, str]

    @property
    def confidence(self) -> str:
        """Coverage of the intervals, in per cent."""
        return f"{100 * self.results.study.statistics.confidence:g}"

    def name(self, slug: str) -> str:
        """What a model, or another speaker, is called."""
        return self.names.get(slug, slug)

    def table(self, name: str) -> list[Row]:
        """Rows of a table; only the primary judge's where it has judges."""
        return [row for row in self.results.table(name) if row.get("primary", True)]


@dataclass(frozen=True, slots=True)
class Form:
    """One printed table.

    Attributes:
        caption: What it shows, as a function of the source.
        rows: Its rows, which all have the same headings; none where there is nothing to show.
    """

    caption: Callable[[Source], str]
    rows: Callable[[Source], list[Cells]]


def read_source(results: Results) -> Source:
    """Source of the forms of a study's results."""
    return Source(results, model_names(results.table("models")))


def share(row: Row | None, name: str, low: str, high: str) -> str:
    """A share in per cent with its interval.

    >>> share({"rate": 0.0833, "low": 0.04, "high": 0.12}, "rate", "low", "high")
    '8.3 (4.0, 12.0)'

    Args:
        row: A row, or None.
        name: Column of the share.
        low: Column of its lower bound.
        high: Column of its upper bound.
    """
    if row is None or row[name] is None:
        return NOTHING
    return _number(row[name]) + interval(row[low], row[high])


def points(row: Row | None) -> str:
    """A difference in percentage points with its interval.

    >>> points({"difference": 0.1, "low": 0.0, "high": 0.2})
    '10.0 (0.0, 20.0)'
    """
    if row is None or row["difference"] is None:
        return NOTHING
    return _number(row["difference"]) + interval(row["low"], row["high"])


def interval(low: float | None, high: float | None) -> str:
    """Bounds in per cent, in brackets behind what they bound; empty without."""
    if low is None or high is None:
        return ""
    return f" ({_number(low)}, {_number(high)})"


def count(value: int | None) -> str:
    """A count."""
    return NOTHING if value is None else f"{value}"


def setting(condition: str, temperature: float) -> Cells:
    """Which answer a turn stands behind, and how warm it was sampled."""
    return {
        "Answer": "own" if condition == BASE else condition,
        "Temperature": "greedy" if temperature == GREEDY else f"{temperature:g}",
    }


def dataset(slug: str) -> str:
    """A dataset's name."""
    return "all" if slug == ALL else slug


def first(rows: Sequence[Row], **wanted: object) -> Row | None:
    """The first row whose columns have these values."""
    matching = (row for row in rows if all(row[name] == one for name, one in wanted.items()))
    return next(matching, None)


def _number(value: float) -> str:
    """A share in per cent, with a real minus sign and none before zero."""
    return f"{round(100 * value, 1) + 0.0:.1f}".replace("-", MINUS)

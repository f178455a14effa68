"""What a run ends with: the rate, how many turns it is of, whose labels, and where to look."""

from __future__ import annotations

from collections.abc import Sequence

from userturn import tables
from userturn.artifacts.csv_file import Row
from userturn.artifacts.schemas import BASE
from userturn.study.report import ALL


def summary() -> str:
    """The lines of `lines` from the tables of this folder.

    Raises:
        ArtifactError: Table `rates` is missing, or of another version.
    """
    return "\n".join(lines(tables.read("rates")))


def lines(rates: Sequence[Row]) -> list[str]:
    """Four lines, and one for each model.

    Args:
        rates: Rows of table `rates`.
    """
    pooled = [row for row in rates if row["primary"] and row["dataset"] == ALL]
    base = [row for row in pooled if row["condition"] == BASE]
    coldest = min(row["temperature"] for row in base)
    rows = [row for row in base if row["temperature"] == coldest]
    turns, invalid = (sum(row[name] for row in pooled) for name in ("samples", "invalid"))
    prompts = max(row["prompts"] for row in rows)
    which = f"at temperature {coldest:g}" if coldest else "by greedy decoding"
    confidence = f"{100 * rows[0]['confidence']:g} %"
    return [
        f"Genuine follow-up rate (strict) of user turns {which}, {confidence} interval:",
        *(f"  {row['model']}: {percent(row)}" for row in rows),
        f"Counted: {prompts} prompts; {turns} turns in all settings, {invalid} without valid label",
        f"Labels by: {rows[0]['judge']}; read some first: userturn turns --label followup",
        f"More in: {tables.METRICS}, {tables.path_of('rates')}, reports/figures/",
    ]


def percent(row: Row, rate: str = "rate", low: str = "low", high: str = "high") -> str:
    """A rate with its interval, as a reader has it.

    >>> percent({"rate": 1 / 3, "low": 0.18, "high": 0.533})
    '33.3 % (18.0 to 53.3)'
    """
    if row[rate] is None:
        return "no turn with a valid label"
    return f"{100 * row[rate]:.1f} % ({100 * row[low]:.1f} to {100 * row[high]:.1f})"

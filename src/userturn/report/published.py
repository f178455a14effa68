"""Part `published`: the paper's numbers beside this study's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from userturn.artifacts.csv_file import Row
from userturn.report._part import Part, Source
from userturn.tables.published import AGREES, DIFFERS, NOT_MEASURED

SHARES = ("accuracy", "rate", "highest_rate")
MARKS = {
    "K": "known from the abstract or a quotation",
    "R": "reported by a secondary source",
    "C": "our choice, because the paper's is not known",
}


def view(source: Source) -> Mapping[str, Any]:
    """Numbers that this study has an estimate of, and those that it has not."""
    rows = [_row(source, row) for row in source.table("published")]
    verdicts = Counter(row["verdict"] for row in rows)
    return {
        "measured": [row for row in rows if row["verdict"] != NOT_MEASURED],
        "missing": [row for row in rows if row["verdict"] == NOT_MEASURED],
        "counts": {verdict: verdicts[verdict] for verdict in (AGREES, DIFFERS, NOT_MEASURED)},
        "marks": MARKS,
        "confidence": source.study.statistics.confidence,
    }


def _row(source: Source, row: Row) -> dict[str, Any]:
    """A row with what it is of in words, and how its numbers are written."""
    temperature = row["temperature"]
    parts = [
        source.name(row["model"]) if row["model"] else "",
        row["dataset"],
        row["condition"],
        "" if temperature is None else f"temperature {temperature:g}" if temperature else "greedy",
    ]
    unit = "share" if row["quantity"] in SHARES else "number"
    return {
        **row,
        "of": ", ".join(part for part in parts if part),
        "unit": "points" if row["quantity"] == "difference" else unit,
    }


PART = Part("Beside the paper", view)

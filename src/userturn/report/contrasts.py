"""Part `contrasts`: what perturbed answers and temperature change, and what it takes to know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from userturn.artifacts.csv_file import Row
from userturn.artifacts.schemas import BASE
from userturn.report._part import Part, Source, link
from userturn.study.report import ALL
from userturn.tables._table import GROUP

MEANING = {
    "truncate": "the answer is cut in its middle",
    "ask": "a question to the user stands at the end of the answer",
    "swap": "the context shows the answer to another prompt",
    "close": "the answer ends in a goodbye",
}
"""What a perturbation does, in plain words; of others their name."""


def view(source: Source) -> Mapping[str, Any]:
    """Rows of table `power` with their p-values, pooled ones first."""
    tested = {
        (name, *_group(row)): row
        for name in ("controls", "temperature")
        for row in source.primary(name)
    }
    rows = [_row(row, tested[row["contrast"], *_group(row)]) for row in source.primary("power")]
    return {
        "pooled": [row for row in rows if row["dataset"] == ALL],
        "by_dataset": [row for row in rows if row["dataset"] != ALL],
        "confidence": source.study.statistics.confidence,
        "tests": {name: sum(one == name for one, *_ in tested) for name, *_ in tested},
    }


def _group(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in GROUP)


def _row(power: Row, test: Row) -> Row:
    changed = power["condition"] != BASE
    return {
        **power,
        "what": f"{power['condition']}: {MEANING.get(power['condition'], power['condition'])}"
        if changed
        else f"temperature {power['temperature']:g} instead of 0",
        **{name: test[name] for name in ("rate_base", "rate", "p", "p_holm", "test")},
        "turns": link(power),
    }


PART = Part("Controls and temperature", view)

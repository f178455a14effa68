"""Table `power`: what each contrast of tables `controls` and `temperature` could have shown.

`smallest_visible` is the least true difference that 80 % of studies of this size would see at the
study's confidence, and `prompts_needed` how many prompts it would take to see the difference that
was observed (stats/power.py); it is there where the contrast is undecided, its interval holding
zero, and the observed difference is not zero.
"""

from __future__ import annotations

import math

from userturn.artifacts.csv_file import Kind, Row, of
from userturn.artifacts.schemas import BASE
from userturn.stats import power
from userturn.tables._groups import GREEDY, Group
from userturn.tables._intervals import pairs
from userturn.tables._results import Judged, Results
from userturn.tables._table import GROUP, Table

COPIED = (*GROUP, "difference", "low", "high", "confidence", "prompts")


def rows(results: Results) -> list[Row]:
    """One row per contrast, those of the controls first."""
    judged = {(one.judge, one.model): one for one in results.judged()}
    return [
        {"contrast": name, **row_of(judged[row["judge"], row["model"]], name, row)}
        for name in ("controls", "temperature")
        for row in results.table(name)
    ]


def row_of(judged: Judged, name: str, row: Row) -> Row:
    """Power of one contrast.

    Args:
        judged: The turns that it compares.
        name: Its table.
        row: Its row there.
    """
    changed: Group = row["dataset"], row["condition"], row["temperature"]
    base: Group = row["dataset"], BASE, row["temperature"] if name == "controls" else GREEDY
    before, after = pairs(judged.groups[base], judged.groups[changed])
    psi = power.discordance(after - before)
    visible, needed = None, None
    undecided = row["low"] is not None and row["low"] <= 0 <= row["high"]
    if psi is not None:
        visible = power.smallest_visible(psi, row["prompts"], row["confidence"])
        if undecided and row["difference"]:
            needed = math.ceil(power.prompts_needed(row["difference"], psi, row["confidence"]))
    return {
        **{column: row[column] for column in COPIED},
        "decided": None if psi is None else "no" if undecided else "yes",
        "discordance": psi,
        "smallest_visible": visible,
        "prompts_needed": needed,
    }


TABLE = Table(
    {
        "contrast": Kind.NAME,
        **GROUP,
        **of(Kind.NUMBER, "difference low high confidence"),
        "decided": Kind.NAME,
        **of(Kind.NUMBER, "discordance smallest_visible"),
        **of(Kind.COUNT, "prompts prompts_needed"),
    },
    rows,
)

"""Form `power`: which difference this study could have seen, and how many prompts others take."""

from __future__ import annotations

from userturn.study.report import ALL
from userturn.tables.paper._form import NOTHING, Cells, Form, Source, count, points, setting


def caption(source: Source) -> str:
    """What the columns are."""
    return (
        "What the study could have seen, all datasets pooled. Visible from: the least true "
        "difference, in percentage points, that 80 % of studies of this size would see at "
        f"{source.confidence} % confidence; would take: prompts at which the observed difference "
        "would be seen, where its interval holds zero."
    )


def rows(source: Source) -> list[Cells]:
    """One row per contrast of the pooled datasets."""
    return [
        {
            "Model": source.name(row["model"]),
            **setting(row["condition"], row["temperature"]),
            "Against": "own answer" if row["contrast"] == "controls" else "greedy",
            "Difference": points(row),
            "Decided": row["decided"] or NOTHING,
            "Visible from": NOTHING
            if row["smallest_visible"] is None
            else f"{100 * row['smallest_visible']:.1f}",
            "Prompts": count(row["prompts"]),
            "Would take": count(row["prompts_needed"]),
        }
        for row in source.table("power")
        if row["dataset"] == ALL
    ]


FORM = Form(caption, rows)

"""Form `full`: every rate of the study, with its counts."""

from __future__ import annotations

from userturn.tables.paper._form import Cells, Form, Source, count, dataset, setting, share


def caption(source: Source) -> str:
    """What the columns are."""
    return (
        "Every setting of the study. Rates in per cent with "
        f"{source.confidence} % intervals by prompt; cut: turns that reached the token limit; "
        "no label: turns without a valid label, which no rate counts."
    )


def rows(source: Source) -> list[Cells]:
    """One row per model, dataset and setting."""
    return [
        {
            "Model": source.name(row["model"]),
            "Dataset": dataset(row["dataset"]),
            **setting(row["condition"], row["temperature"]),
            "Strict": share(row, "rate", "low", "high"),
            "Lenient": share(row, "lenient", "lenient_low", "lenient_high"),
            "Adjusted": share(row, "adjusted", "adjusted_low", "adjusted_high"),
            "Prompts": count(row["prompts"]),
            "Turns": count(row["samples"]),
            "Cut": count(row["truncated"]),
            "No label": count(row["invalid"]),
        }
        for row in source.table("rates")
    ]


FORM = Form(caption, rows)

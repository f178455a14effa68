"""Form `models`: what the study says of each model, greedy and at its warmest, in one row."""

from __future__ import annotations

from userturn.artifacts.schemas import BASE
from userturn.study.report import ALL
from userturn.tables._groups import GREEDY
from userturn.tables.paper._form import Cells, Form, Source, count, first, share


def caption(source: Source) -> str:
    """What the columns are."""
    return (
        "Genuine follow-up rates and task accuracy in per cent, all datasets pooled, with "
        f"{source.confidence} % intervals by prompt. Strict: turns that react to the answer; "
        "lenient: those on its subject as well; adjusted: strict without the judge's known errors."
    )


def rows(source: Source) -> list[Cells]:
    """One row per model."""
    study = source.results.study
    warmest = max(study.generate.user_turn.temperatures)
    rates, accuracy = source.table("rates"), source.table("accuracy")
    scored = dict.fromkeys(row["dataset"] for row in accuracy if row["strict"] is not None)
    made = []
    for slug, name in source.names.items():
        base = {"model": slug, "condition": BASE, "dataset": ALL}
        greedy = first(rates, temperature=GREEDY, **base)
        warm = first(rates, temperature=warmest, **base)
        made.append(
            {
                "Model": name,
                "Strict": share(greedy, "rate", "low", "high"),
                "Lenient": share(greedy, "lenient", "lenient_low", "lenient_high"),
                "Adjusted": share(greedy, "adjusted", "adjusted_low", "adjusted_high"),
                **(
                    {f"Strict at {warmest:g}": share(warm, "rate", "low", "high")}
                    if warmest != GREEDY
                    else {}
                ),
                **{
                    f"Accuracy, {dataset}": share(
                        first(accuracy, model=slug, dataset=dataset),
                        "strict", "strict_low", "strict_high",
                    )
                    for dataset in scored
                },
                "Prompts": count(greedy["prompts"] if greedy else None),
            }
        )  # fmt: skip
    return made


FORM = Form(caption, rows)

"""Form `perturbations`: Table 1 of arXiv 2604.02315, what a changed answer does to the rate."""

from __future__ import annotations

from userturn.artifacts.csv_file import Row
from userturn.artifacts.schemas import BASE
from userturn.study.report import ALL
from userturn.tables.paper._form import Cells, Form, Source, count, first, points, share

LEVEL = 0.05
"""Below it a corrected p-value is marked."""


def caption(source: Source) -> str:
    """What the columns are."""
    temperature = min(source.results.study.perturb.temperatures)
    warmth = "greedy" if temperature == 0 else f"temperature {temperature:g}"
    return (
        "Controlled perturbations of the answer. Genuine follow-up rate behind the unperturbed "
        "answer in per cent, and its change in percentage points over the same prompts, all "
        f"datasets pooled, {warmth}, with {source.confidence} % intervals. * p < {LEVEL:g} after "
        "Holm's correction."
    )


def rows(source: Source) -> list[Cells]:
    """One row per model, a column per perturbation."""
    study = source.results.study
    if not study.perturb.conditions:
        return []
    temperature = min(study.perturb.temperatures)
    pooled = {"dataset": ALL, "temperature": temperature}
    controls, rates = source.table("controls"), source.table("rates")
    made = []
    for slug, name in source.names.items():
        base = first(rates, model=slug, condition=BASE, **pooled)
        changes = {
            condition: first(controls, model=slug, condition=condition, **pooled)
            for condition in study.perturb.conditions
        }
        made.append(
            {
                "Model": name,
                "Own answer": share(base, "rate", "low", "high"),
                **{condition: points(row) + _mark(row) for condition, row in changes.items()},
                "Prompts": count(base["prompts"] if base else None),
            }
        )
    return made


def _mark(row: Row | None) -> str:
    return "*" if row and row["p_holm"] is not None and row["p_holm"] < LEVEL else ""


FORM = Form(caption, rows)

"""Part `answer`: rates per model with intervals and counts, and task accuracy beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from userturn.artifacts.csv_file import Row
from userturn.artifacts.labels import MEANING
from userturn.artifacts.schemas import BASE
from userturn.report._part import Part, Source, link
from userturn.study.generate import REFERENCE
from userturn.study.report import ALL
from userturn.tables._groups import GREEDY


def view(source: Source) -> Mapping[str, Any]:
    """One entry per model, then every setting of the study."""
    rates = source.primary("rates")
    accuracy = source.table("accuracy")
    pooled = [row for row in rates if row["dataset"] == ALL]
    return {
        "entries": [_entry(source, model.slug, pooled, accuracy) for model in source.models],
        "datasets": source.study.prompts.datasets,
        "meanings": {label.value: meaning for label, meaning in MEANING.items()},
        "behind_references": source.study.generate.own_source == REFERENCE,
        "people": _people(source),
        "crossed": [row for row in source.primary("cross") if row["dataset"] == ALL],
        "expected": source.table("expected"),
        "settings": pooled,
        "by_dataset": [row for row in rates if row["dataset"] != ALL],
        "others": [row for row in source.table("rates") if not row["primary"]],
        "confidence": source.study.statistics.confidence,
        "judge": source.study.classify.primary,
        "not_asked": source.metrics["study"].get("not_asked", {}),
        "counted": sum(source.metrics["study"]["prompts"].values()),
    }


def _people(source: Source) -> list[Row]:
    """Rates of the real next turns, pooled first; none where the study has none."""
    rows = [row for row in source.primary("human") if row["rate"] is not None]
    return sorted(rows, key=lambda row: row["dataset"] != ALL)


def _entry(source: Source, slug: str, pooled: list[Row], accuracy: list[Row]) -> Row:
    """A model's numbers of the headline, and the rows that they stand in."""
    greedy = [
        row
        for row in pooled
        if (row["model"], row["condition"], row["temperature"]) == (slug, BASE, GREEDY)
    ]
    numbers = source.metrics["model"][slug]
    followups = greedy[0]["followups"] if greedy else None
    return {
        "slug": slug,
        "name": source.name(slug),
        **numbers,
        "followups": followups,
        "turns": link({"model": slug, "condition": BASE, "temperature": GREEDY}),
        "hits": link({"model": slug, "condition": BASE, "temperature": GREEDY}, label="followup"),
        "scores": [row for row in accuracy if row["model"] == slug],
    }


PART = Part("The answer", view)

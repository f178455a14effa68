"""Table `models`: the probed models in the order in which all tables and figures have them."""

from __future__ import annotations

from userturn.artifacts.csv_file import Kind, Row
from userturn.tables._results import Results
from userturn.tables._table import Table


def rows(results: Results) -> list[Row]:
    """One row per model: its family, and its parameters in billions."""
    entries = {model.slug: results.study.model[model.slug] for model in results.models}
    return [
        {"model": slug, "family": entry.family, "parameters": entry.parameters}
        for slug, entry in entries.items()
    ]


TABLE = Table({"model": Kind.NAME, "family": Kind.TEXT, "parameters": Kind.NUMBER}, rows)

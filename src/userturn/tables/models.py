"""Table `models`: the probed models in the order in which all tables and figures have them.

One model with thinking on and with thinking off is two models here, each with a slug of its own:
`template_kwargs` holds the switch.
"""

from __future__ import annotations

import json

from userturn.artifacts import provenance
from userturn.artifacts.csv_file import Kind, Row
from userturn.base import paths
from userturn.tables._results import Results
from userturn.tables._table import Table


def rows(results: Results) -> list[Row]:
    """One row per model: family, parameters in billions, and what its chat template was given."""
    entries = {model.slug: results.study.model[model.slug] for model in results.models}
    return [
        {
            "model": slug,
            "family": entry.family,
            "parameters": entry.parameters,
            "template_kwargs": _switches(slug),
        }
        for slug, entry in entries.items()
    ]


def _switches(slug: str) -> str:
    """Arguments of the chat template that the turns were generated with, as JSON."""
    params = provenance.read(paths.artifact("user_turns", slug)).get("params", {})
    given = params.get(f"model.{slug}.chat", {}).get("template_kwargs", {})
    return json.dumps(given, sort_keys=True)


TABLE = Table(
    {
        "model": Kind.NAME,
        "family": Kind.TEXT,
        "parameters": Kind.NUMBER,
        "template_kwargs": Kind.TEXT,
    },
    rows,
)

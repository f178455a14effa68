"""Tables as a paper prints them: `reports/tables/paper/<name>.csv`, `.md` and `.tex`.

They hold no number that the tables of `reports/tables/` lack: rates in per cent, differences in
percentage points, each with its interval in brackets, by the primary judge.

A module that defines FORM is one more: its caption, and a function of `Source` that gives its rows.
One list of rows makes all three files.
"""

from __future__ import annotations

from pathlib import Path

from userturn.base.registry import load_all
from userturn.tables import FOLDER as TABLES
from userturn.tables.paper._form import Form

FOLDER = TABLES / "paper"


def all_forms() -> dict[str, Form]:
    """Every form by its name."""
    return load_all("tables.paper", "FORM")


def path_of(name: str, kind: str) -> Path:
    """File of a form: `csv`, `md` or `tex`."""
    return FOLDER / f"{name}.{kind}"

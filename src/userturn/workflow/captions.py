"""What `snakemake --report` says beside a figure or table: the first line of its module."""

from __future__ import annotations

import ast

from userturn.base.registry import PACKAGE


def labels(room: str, name: str) -> dict[str, str]:
    """Columns of the report's list for one file of a room.

    >>> labels("tables", "labels")
    {'name': 'labels', 'shows': 'share and count of every label in every group, zero included'}

    Args:
        room: `tables` or `figures`.
        name: Name of the file without suffix; one that no module makes is shown by its name alone.
    """
    return {"name": name, "shows": about(room, name)}


def about(room: str, name: str) -> str:
    """First sentence of a module's docstring, without the words that name it; read, not imported.

    >>> about("figures", "controls")
    'what each perturbation of the answer does to the rate, beside what it should do'
    """
    module = PACKAGE / room / f"{name}.py"
    text = ast.get_docstring(ast.parse(module.read_text("utf-8"))) if module.exists() else None
    first = " ".join((text or "").split("\n\n")[0].split())
    return first.partition(": ")[2].rstrip(".")

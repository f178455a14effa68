"""What models are called where people read. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from userturn.artifacts.csv_file import Row


def model_names(rows: Sequence[Row]) -> dict[str, str]:
    """Names by slug: family and size where they tell a model from the others, else its slug.

    >>> model_names([{"model": "a", "family": "Qwen", "parameters": 0.8}])
    {'a': 'Qwen 0.8B'}

    Args:
        rows: Table `models`.
    """
    sizes = [(row["family"], row["parameters"]) for row in rows]
    return {
        row["model"]: f"{row['family']} {_size(row['parameters'])}"
        if row["parameters"] is not None and sizes.count((row["family"], row["parameters"])) == 1
        else row["model"]
        for row in rows
    }


def _size(parameters: float) -> str:
    return f"{parameters:g}B" if parameters >= 0.5 else f"{1000 * parameters:g}M"

"""Rooms whose modules people add: each file is one thing, found by its name.

A room is a package whose modules all define one and the same name: a module of `perturbations`
defines PERTURBATION, one of `tables` TABLE. Adding a thing is adding a file; nothing lists them.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]


@cache
def names(room: str) -> tuple[str, ...]:
    """Names of the things in a room, sorted, without importing any.

    Modules that begin with an underscore hold what several of a room's things share, and packages
    are rooms of their own.

    Args:
        room: Dotted name of the package below `userturn`, such as `perturbations`.
    """
    folder = PACKAGE.joinpath(*room.split("."))
    return tuple(
        sorted(
            module.name
            for module in pkgutil.iter_modules([str(folder)])
            if not module.name.startswith("_") and not module.ispkg
        )
    )


def load(room: str, name: str, attribute: str) -> Any:
    """One thing of a room, by its name.

    >>> load("verifiers", "math", "VERIFIER")  # doctest: +SKIP

    Raises:
        KeyError: The room has no such module.
    """
    if name not in names(room):
        raise KeyError(name)
    return getattr(import_module(f"userturn.{room}.{name}"), attribute)


def load_all(room: str, attribute: str, first: Sequence[str] = ()) -> dict[str, Any]:
    """Every thing of a room by name: those of `first` in its order, then the others sorted."""
    order = [*first, *(name for name in names(room) if name not in first)]
    return {name: load(room, name, attribute) for name in order}


def declared(room: str, attribute: str, first: Sequence[str] = ()) -> dict[str, Any]:
    """What the things of a room say of themselves, such as the type of their column.

    As `load_all`, for code that asks and never runs them: a stage does not depend on a room for
    knowing its schema.
    """
    return load_all(room, attribute, first)

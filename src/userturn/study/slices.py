"""The parameters of a stage: those that `dvc.yaml` names for it, with their values.

`dvc.yaml` is the only list. DVC compares the values with those of the last run, and artifacts carry
the same ones as provenance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from userturn.study.loading import REGISTRY_FILE
from userturn.study.study import Study
from userturn.study.yaml import read_mapping

PACKAGE = Path(__file__).parents[1]
REFERENCE = re.compile(r"\$\{([^}]+)\}")


def slice_of(study: Study, stage: str, without: Iterable[str] = ()) -> dict[str, Any]:
    """Values by dotted key, sorted, of the parameters that a stage depends on.

    The stage is that of this code, wherever it runs: a probe has no `dvc.yaml` in its folder.

    >>> slice_of(study, "prompts@mt_bench")  # doctest: +SKIP
    {'dataset.mt_bench.kind': 'mt_bench', 'dataset.mt_bench.source': {...}, 'prompts.items': 8, ...}

    Args:
        study: The study.
        stage: Name of the stage, with its slug if it has one.
        without: Keys as `dvc.yaml` has them that one of several artifacts of the stage does not
            depend on. Its bytes then stay when they change, and so does what is made of it.

    Raises:
        ValueError: The stage has no such parameter.
    """
    values = study.model_dump(mode="json")
    name, _, slug = stage.partition("@")
    named = list(_keys(_graph()[name]["params"]))
    for key in without:
        named.remove(key)
    keys = sorted(_resolved(key, slug, values) for key in named)
    return {key: value_at(values, key) for key in keys}


def value_at(tree: Mapping[str, Any], key: str) -> Any:
    """Value at a dotted key. Raises KeyError where there is none."""
    value: Any = tree
    for part in key.split("."):
        if not isinstance(value, Mapping):
            raise KeyError(key)
        value = value[part]
    return value


def _keys(params: list[str | dict[str, list[str]]]) -> Iterator[str]:
    """Keys as `dvc.yaml` writes them: bare those of params.yaml, under its name the registry's.

    Not those of files that stages write: what local files hold is no key of the study.
    """
    for entry in params:
        if isinstance(entry, str):
            yield entry
        else:
            yield from entry.get(str(REGISTRY_FILE), [])


def _resolved(key: str, slug: str, values: Mapping[str, Any]) -> str:
    """A key with its references replaced: the stage's item by the slug, others by their values."""
    return REFERENCE.sub(
        lambda match: slug if match[1].startswith("item.") else str(value_at(values, match[1])), key
    )


@cache
def _graph() -> dict[str, Any]:
    """The stages of `dvc.yaml`: of the wheel where this is installed from one, else of the tree."""
    installed = PACKAGE / "dvc.yaml"
    path = installed if installed.exists() else PACKAGE.parents[1] / "dvc.yaml"
    return dict(read_mapping(path)["stages"])

"""Readers of datasets: one module per kind, registered by name, and the stage that runs them."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from userturn import artifacts
from userturn.base import paths
from userturn.base.errors import PromptError
from userturn.models import sources
from userturn.prompts import (
    coval,
    gsm8k,
    gsm_symbolic,
    healthbench,
    ifbench,
    ifeval,
    jsonl,
    math_500,
    mt_bench,
)
from userturn.prompts.records import Prompt, Row, read_rows
from userturn.study.datasets import DatasetEntry, DatasetKind
from userturn.study.sources import GeneratorSource
from userturn.study.study import Study

if TYPE_CHECKING:
    import polars as pl

__all__ = ["READERS", "Prompt", "collect", "load", "read", "select"]

READERS: dict[DatasetKind, Callable[[Row], Prompt | None]] = {
    "gsm_symbolic": gsm_symbolic.read,
    "gsm8k": gsm8k.read,
    "math_500": math_500.read,
    "ifbench": ifbench.read,
    "ifeval": ifeval.read,
    "mt_bench": mt_bench.read,
    "healthbench": healthbench.read,
    "coval": coval.read,
    "jsonl": jsonl.read,
}
"""From a dataset's record to its prompt; None leaves out a record that has no single first turn."""


def read(slugs: Sequence[str]) -> pl.DataFrame:
    """Prompts of several datasets in one frame, columns as in `artifacts.PROMPTS`.

    Raises:
        ArtifactError: An artifact is missing or damaged.
    """
    import polars as pl

    return pl.concat([artifacts.read(paths.artifact("prompts", slug), "prompts") for slug in slugs])


def load(study: Study, slug: str) -> tuple[list[Prompt], str]:
    """Every prompt of a dataset, in the order of its source, and the source's identity.

    Raises:
        SourceError: The dataset cannot be fetched, or is not the pinned one.
        PromptError: A record cannot be read, two have one id, or there are none.
    """
    entry = study.dataset[slug]
    rows, identity = _rows(entry, slug)
    return collect(rows, entry.kind, slug), identity


def collect(rows: Iterable[Row], kind: DatasetKind, dataset: str) -> list[Prompt]:
    """Prompts of a dataset's records, in their order.

    Raises:
        PromptError: A record cannot be read, two have one id, or none is left.
    """
    reader = READERS[kind]
    origins: dict[str, str] = {}
    prompts: list[Prompt] = []
    left_out = 0
    for row in rows:
        prompt = reader(row)
        if prompt is None:
            left_out += 1
            continue
        if prompt.item in origins:
            raise PromptError(
                f"{row.origin}: has the id '{prompt.item}' of {origins[prompt.item]}; "
                "ids must differ"
            )
        origins[prompt.item] = row.origin
        prompts.append(prompt)
    if left_out:
        total = left_out + len(prompts)
        _say(
            f"dataset '{dataset}': {left_out} of {total} items are no single user message: left out"
        )
    if not prompts:
        raise PromptError(f"dataset '{dataset}': holds no prompts; check its source and kind")
    return prompts


def select(prompts: Iterable[Prompt], n: int | None, seed: int, dataset: str) -> list[Prompt]:
    """The first n of a seeded order (None: all of it).

    The place of a prompt depends on (seed, dataset, item) alone: not on the file's order nor on n,
    so a larger n contains the smaller.
    """

    def place(prompt: Prompt) -> bytes:
        return hashlib.sha256(json.dumps([seed, dataset, prompt.item]).encode()).digest()

    return sorted(prompts, key=place)[:n]


def _rows(entry: DatasetEntry, slug: str) -> tuple[Iterator[Row], str]:
    """Records of a dataset, and the identity of their source."""
    source = entry.source
    if (entry.kind == "gsm_symbolic") != isinstance(source, GeneratorSource):
        raise PromptError(
            f"dataset.{slug}.source.type: kind '{entry.kind}' cannot be read from a "
            f"'{source.type}' source; only gsm_symbolic is generated"
        )
    if isinstance(source, GeneratorSource):
        return gsm_symbolic.generate(source.seed), sources.check_generator(source)
    fetched = sources.fetch(source, paths.cache())
    return read_rows(fetched.path), fetched.identity


def _say(text: str) -> None:
    print(text, file=sys.stderr)

"""From a dataset's source to the prompts that a study takes of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from userturn.base import paths
from userturn.base.errors import PromptError
from userturn.base.seeds import rank
from userturn.models import sources
from userturn.prompts import kinds
from userturn.prompts.records import Prompt, Row, read_rows
from userturn.study.datasets import DatasetEntry
from userturn.study.sources import GeneratorSource
from userturn.study.study import Study


def load(study: Study, slug: str) -> tuple[list[Prompt], str]:
    """Every prompt of a dataset, in the order of its source, and the source's identity.

    Raises:
        SourceError: The dataset cannot be fetched, or is not the pinned one.
        PromptError: A record cannot be read, two have one id, or there are none.
    """
    entry = study.dataset[slug]
    rows, identity = _rows(entry, slug)
    return collect(rows, entry.kind, slug), identity


def collect(rows: Iterable[Row], kind: str, dataset: str) -> list[Prompt]:
    """Prompts of a dataset's records, in their order.

    Raises:
        PromptError: A record cannot be read, two have one id, or none is left.
    """
    of_kind = kinds.named(kind)
    origins: dict[str, str] = {}
    prompts: list[Prompt] = []
    left_out = 0
    for row in rows:
        prompt = of_kind.read(row)
        if prompt is None:
            left_out += 1
            continue
        for name, value in (("id", prompt.item), ("target", prompt.target)):
            row.as_text(value or "", name)
        if prompt.item in origins:
            raise PromptError(
                f"{row.origin}: has the id '{prompt.item}' of {origins[prompt.item]}; "
                "ids must differ"
            )
        origins[prompt.item] = row.origin
        prompts.append(prompt)
    if left_out:
        total = left_out + len(prompts)
        print(
            f"dataset '{dataset}': {left_out} of {total} items are {of_kind.lacks}: left out",
            file=sys.stderr,
        )
    if not prompts:
        raise PromptError(f"dataset '{dataset}': holds no prompts; check its source and kind")
    return prompts


def select(prompts: Iterable[Prompt], n: int | None, seed: int, dataset: str) -> list[Prompt]:
    """The first n of a seeded order (None: all of it).

    The place of a prompt depends on (seed, dataset, item) alone: not on the file's order nor on n,
    so a larger n contains the smaller.
    """
    return sorted(prompts, key=lambda prompt: rank(seed, dataset, prompt.item))[:n]


def _rows(entry: DatasetEntry, slug: str) -> tuple[Iterator[Row], str]:
    """Records of a dataset, and the identity of their source."""
    source, generate = entry.source, kinds.named(entry.kind).generate
    if isinstance(source, GeneratorSource) and generate:
        return generate(source.seed), sources.check_generator(source)
    if isinstance(source, GeneratorSource) or generate:
        how = "is generated" if generate else "is read from a file"
        raise PromptError(
            f"dataset.{slug}.source.type: kind '{entry.kind}' {how} and cannot be read from a "
            f"'{source.type}' source"
        )
    fetched = sources.fetch(source, paths.cache(), key=f"dataset.{slug}.source")
    return read_rows(fetched.path), fetched.identity

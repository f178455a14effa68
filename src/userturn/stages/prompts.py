"""Stage `prompts`: the first items of one dataset."""

from __future__ import annotations

import sys

from userturn.artifacts import files, provenance
from userturn.base import paths
from userturn.prompts.collect import load, select
from userturn.study.slices import slice_of
from userturn.study.study import Study


def run(study: Study, slug: str) -> None:
    """Stage `prompts@<slug>`: read a dataset and write the prompts that the study takes of it.

    Raises:
        SourceError: The dataset cannot be fetched, or is not the pinned one.
        PromptError: A record cannot be read, two have one id, or there are none.
    """
    known, identity = load(study, slug)
    wanted = study.prompts.items
    if wanted is not None and len(known) < wanted:
        print(
            f"dataset '{slug}' has {len(known)} items, {wanted} asked for: all {len(known)} taken",
            file=sys.stderr,
        )
    chosen = select(known, wanted, study.seed, slug)
    stage = f"prompts@{slug}"
    files.write(
        paths.artifact("prompts", slug),
        "prompts",
        ({**prompt.columns(slug), "order": order} for order, prompt in enumerate(chosen)),
        provenance.of(stage, slice_of(study, stage), dataset=identity, available=len(known)),
    )

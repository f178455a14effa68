"""Stage `prompts`: the first items of one dataset."""

from __future__ import annotations

import sys
from dataclasses import asdict

from userturn import artifacts, verifiers
from userturn.base import paths
from userturn.prompts import load, select
from userturn.study.slices import slice_of
from userturn.study.study import Study


def run(study: Study, slug: str) -> None:
    """Stage `prompts@<slug>`: read a dataset and write the prompts that the study takes of it.

    Raises:
        SourceError: The dataset cannot be fetched, or is not the pinned one.
        PromptError: A record cannot be read, two have one id, or there are none.
    """
    found, identity = load(study, slug)
    wanted = study.prompts.items
    if wanted is not None and len(found) < wanted:
        print(
            f"dataset '{slug}' has {len(found)} items, {wanted} asked for: all {len(found)} taken",
            file=sys.stderr,
        )
    chosen = select(found, wanted, study.seed, slug)
    for verifier in sorted({prompt.verifier for prompt in chosen if prompt.verifier}):
        verifiers.prepare(verifier)  # fetches its data now, while there is a network
    stage = f"prompts@{slug}"
    artifacts.write(
        paths.artifact("prompts", slug),
        "prompts",
        (
            {"dataset": slug, "order": order, **asdict(prompt)}
            for order, prompt in enumerate(chosen)
        ),
        artifacts.provenance(stage, slice_of(study, stage), dataset=identity, available=len(found)),
    )

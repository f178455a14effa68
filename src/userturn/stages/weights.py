"""Stage `weights`: which bytes one model is, and those bytes on this machine."""

from __future__ import annotations

import json
import os

from userturn.base import paths
from userturn.models import weights
from userturn.study.study import Study


def run(study: Study, slug: str) -> None:
    """Stage `weights@<slug>`: bring the weights to this machine and write their pointer file.

    The pointer is the same, byte for byte, wherever it is made.

    Raises:
        SourceError: The weights cannot be fetched or converted, or are not the pinned ones.
    """
    entry = study.model[slug]
    folder, found = weights.make(entry, slug)
    pointer = {
        **weights.facts(entry),
        "identity": found,
        "license": entry.license,
        "dtype": weights.stored_dtype(folder),
        "tokenizer_sha256": weights.hash_of(folder / "tokenizer.json"),
        "chat_template_sha256": weights.chat_template_hash(folder),
    }
    path = paths.weights_pointer(slug)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(pointer, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    partial.replace(path)

"""Stage `weights`: which bytes one model is, and those bytes on this machine."""

from __future__ import annotations

import json

from userturn.base import files, paths
from userturn.models import weights
from userturn.study.study import Study


def run(study: Study, slug: str) -> None:
    """Stage `weights@<slug>`: bring the weights to this machine and write their pointer file.

    The pointer is the same, byte for byte, wherever it is made.

    Raises:
        SourceError: The weights cannot be fetched or converted, or are not the pinned ones.
    """
    entry = study.model[slug]
    folder, identity = weights.make(entry, slug)
    pointer = {
        **weights.facts(entry),
        "identity": identity,
        "license": entry.license,
        "dtype": weights.stored_dtype(folder),
        "tokenizer_sha256": weights.hash_of(folder / "tokenizer.json"),
        "chat_template_sha256": weights.chat_template_hash(folder),
    }
    text = json.dumps(pointer, indent=2, sort_keys=True) + "\n"
    files.write_text(paths.weights_pointer(slug), text)

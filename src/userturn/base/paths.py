"""Where artifacts live, relative to the folder of `params.yaml`; the one place that spells them."""

from __future__ import annotations

import os
from pathlib import Path

DATA = Path("data")
REPORTS = Path("reports")
LOGS = Path("logs")
ENTRIES = DATA / "entries"
INPUTS = DATA / "inputs"
LINKED = INPUTS / "linked"
ASKED = INPUTS / "asked"
REFERENCE = DATA / "reference"
CALIBRATION = DATA / "calibration"
REFERENCE_TURNS = CALIBRATION / "turns.parquet"


def artifact(kind: str, slug: str) -> Path:
    """Path of one artifact, such as `data/labels/<model>.parquet`; kinds as in SCHEMAS."""
    return DATA / kind / f"{slug}.parquet"


def context(slug: str) -> Path:
    """File with the exact context of one of a model's user turns, to show it."""
    return DATA / "contexts" / f"{slug}.json"


def entries(name: str) -> Path:
    """File of the registry's entries of one kind that the study uses: `judges`, `models`, ...

    `inputs` holds fingerprints of the local files that its entries name.
    """
    return ENTRIES / f"{name}.json"


def weights_pointer(slug: str) -> Path:
    """File that names a model's weights: identity, source, hashes; small, so DVC shares it.

    The weights themselves lie in `cache() / "weights"`, made again by whoever needs them.
    """
    return DATA / "weights" / slug / "weights.json"


def cache() -> Path:
    """Folder of what can be made again: downloads, converted weights. `USERTURN_CACHE` moves it."""
    return Path(os.environ.get("USERTURN_CACHE", ".cache"))


def completion_store(slug: str) -> Path:
    """SQLite file of one model's finished completions. `USERTURN_STORE` moves the folder."""
    folder = os.environ.get("USERTURN_STORE")
    return (Path(folder) if folder else cache() / "completions") / f"{slug}.sqlite"

"""A dataset of the registry."""

from __future__ import annotations

from typing import Literal

from userturn.study.section import Section, field
from userturn.study.sources import Source

DatasetKind = Literal[
    "gsm_symbolic", "gsm8k", "math_500", "ifbench", "ifeval", "mt_bench",
    "healthbench", "coval", "jsonl",
]  # fmt: skip


class DatasetEntry(Section):
    """One dataset of the registry."""

    kind: DatasetKind = field(..., "Reader and verifier (src/userturn/prompts/).")
    source: Source = field(..., "Where the prompts come from.")
    license: str = field("unknown", "Licence of the data (SPDX id).")

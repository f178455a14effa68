"""A dataset of the registry."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from userturn.study.section import Count, NameIn, Section, field
from userturn.study.sources import Source

DatasetKind = Annotated[str, NameIn("prompts.kinds")]


class DatasetEntry(Section):
    """One dataset of the registry."""

    kind: DatasetKind = field(..., "Reader (src/userturn/prompts/kinds/).")
    source: Source = field(..., "Where the prompts come from.")
    license: str = field("unknown", "Licence of the data (SPDX id).")
    size: Count | None = field(
        None, "Prompts that it has; only `userturn plan` reads it.", "prompts"
    )
    prompt_tokens: Annotated[float, Field(gt=0)] | None = field(
        None, "Mean length of its prompts; only `userturn plan` reads it.", "tokens"
    )

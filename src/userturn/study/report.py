"""How results are counted and drawn."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from userturn.study.section import Section, Unique, field

ALL = "all"
"""How tables call the datasets of a study taken together; no dataset may be called so."""


HUMAN = "human"
"""How tables call the speaker of the real next turns; no model may be called so."""


class Statistics(Section):
    """Intervals and tests."""

    confidence: Annotated[float, Field(gt=0.5, lt=1)] = field(
        0.95, "Coverage of every interval.", "share"
    )
    bootstrap: Annotated[int, Field(ge=100)] = field(
        2000, "Resamples of the cluster bootstrap by prompt.", "resamples"
    )


class Figures(Section):
    """Look of the figures."""

    formats: Annotated[list[Literal["svg", "png", "pdf"]], Field(min_length=1), Unique] = field(
        lambda: ["svg", "png"], "File formats."
    )
    dpi: Annotated[int, Field(ge=50, le=1200)] = field(160, "Resolution of PNG files.", "dots/inch")
    width: Annotated[float, Field(gt=1, le=20)] = field(6.4, "Width of a figure.", "inches")

"""What a paper published: each number with its mark and source, to be set beside a study's own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from userturn.study.loading import checked
from userturn.study.section import Section, Slug, Temperature, field
from userturn.study.yaml import read_mapping

PUBLISHED_FILE = Path("studies/published.yaml")

Quantity = Literal[
    "models", "families", "datasets", "parameters", "active_parameters",
    "accuracy", "rate", "highest_rate", "difference",
]  # fmt: skip
OF_MODELS = ("parameters", "active_parameters", "accuracy", "rate", "difference")
"""Quantities of single models."""


class PublishedNumber(Section):
    """One number."""

    name: Slug = field(..., "Short name; no other number has it.")
    what: str = field(..., "What it is, in words.")
    mark: Literal["K", "R", "C"] = field(
        ..., "K: known from abstract or quotation; R: reported by others; C: our choice."
    )
    source: str = field(..., "Where it comes from.")
    quantity: Quantity = field(..., "What of a study is set beside it.")
    models: Literal["each"] | Annotated[list[Slug], Field(min_length=1)] | None = field(
        None, "Models that it is of, a row each; `each`: all that a study probes."
    )
    datasets: Annotated[list[Slug], Field(min_length=1)] | None = field(
        None, "Dataset that it is of, by its slugs; null: all together."
    )
    condition: Slug | None = field(None, "Perturbation that it is of.")
    temperature: Temperature | None = field(None, "Of the user turns.")
    value: float | None = field(None, "The number.")
    low: float | None = field(None, "Least that it can mean.", otherwise="value")
    high: float | None = field(None, "Most that it can mean.", otherwise="value")

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and most that it can mean; infinite where there is no bound."""
        low = self.value if self.low is None else self.low
        high = self.value if self.high is None else self.high
        return float("-inf") if low is None else low, float("inf") if high is None else high

    @model_validator(mode="after")
    def _is_complete(self) -> PublishedNumber:
        low, high = self.bounds
        if self.value is self.low is self.high is None:
            raise ValueError("has neither value nor low nor high")
        if low > high or (self.value is not None and not low <= self.value <= high):
            raise ValueError("low, value and high are not in this order")
        for key, wanted in (
            ("models", self.quantity in OF_MODELS),
            ("datasets", self.quantity == "accuracy"),
            ("condition", self.quantity == "difference"),
            ("temperature", self.quantity in ("rate", "difference")),
        ):
            if wanted and getattr(self, key) is None:
                raise ValueError(f"quantity '{self.quantity}' needs the key {key}")
        return self


class Published(Section):
    """The numbers of one paper."""

    paper: str = field(..., "Which paper.")
    numbers: list[PublishedNumber] = field(..., "Its numbers.")

    @model_validator(mode="after")
    def _names_differ(self) -> Published:
        twice = [name for name, n in Counter(one.name for one in self.numbers).items() if n > 1]
        if twice:
            raise ValueError(f"numbers: the name '{twice[0]}' stands twice")
        return self


def read_published(path: Path = PUBLISHED_FILE) -> Published | None:
    """What was published; None where the folder has no such file, as a probe's.

    Raises:
        StudyError: The file is not YAML, or a key or value is not allowed.
    """
    return checked(Published, read_mapping(path), path) if path.exists() else None

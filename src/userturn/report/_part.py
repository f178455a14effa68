"""What a part of the page is, and what it is made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from userturn import tables
from userturn.artifacts import csv_file
from userturn.artifacts.csv_file import Row
from userturn.base.errors import ArtifactError
from userturn.figures._colours import ModelLook, model_looks
from userturn.report._sample import Sample, draw
from userturn.study.report import ALL

if TYPE_CHECKING:
    from userturn.study.study import Study


@dataclass(frozen=True, slots=True)
class Served:
    """A page that a server shows, which holds no turns: it asks for those that it is to show.

    Attributes:
        total: Turns that there are.
        annotator: Who labels turns while reading them; None for a reader.
    """

    total: int
    annotator: str | None = None


@dataclass(frozen=True)
class Source:
    """What the page is made of.

    Attributes:
        study: The study.
        metrics: `reports/metrics.json`.
        models: The models in the order of the tables.
        served: How a server shows it; None of a page that opens from disk.
    """

    study: Study
    metrics: Mapping[str, Any]
    models: tuple[ModelLook, ...]
    served: Served | None = None

    @cached_property
    def sample(self) -> Sample:
        """The turns that the page holds."""
        return draw(self.study)

    def table(self, name: str) -> list[Row]:
        """Rows of a table.

        Raises:
            ArtifactError: The table is missing, unreadable, or of another version.
        """
        return tables.read(name)

    def primary(self, name: str) -> list[Row]:
        """Rows of a table that are the primary judge's."""
        return [row for row in self.table(name) if row["primary"]]

    def name(self, slug: str) -> str:
        """What a model is called on the page."""
        return next((model.name for model in self.models if model.slug == slug), slug)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the page.

    Attributes:
        heading: What stands above it.
        view: What its template shows, by name.
    """

    heading: str
    view: Callable[[Source], Mapping[str, Any]]


def read_source(study: Study) -> Source:
    """Source of the page of a study.

    Raises:
        ArtifactError: The metrics or table `models` are missing or unreadable.
    """
    try:
        metrics = json.loads(tables.METRICS.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{tables.METRICS}: cannot be read ({error}); run `dvc repro tables`"
        ) from None
    return Source(study, metrics, tuple(model_looks(tables.read("models"))))


def link(row: Mapping[str, Any], **more: Any) -> str:
    """Address, in the page, of the turns that a row of a table is about.

    >>> link({"model": "m", "dataset": "all", "condition": "base", "temperature": 0.7})
    '#turns?model=m&condition=base&temperature=0.7'

    Args:
        row: The row; the columns of GROUP that it has are the filter.
        more: More filters, such as `label`.
    """
    named = {"model": None, "dataset": None, "condition": None, "temperature": None, "judge": None}
    chosen = {**{name: row.get(name) for name in named}, **more}
    return "#turns?" + urlencode(
        {
            name: csv_file.number(value) if isinstance(value, float) else value
            for name, value in chosen.items()
            if value not in (None, ALL)
        }
    )

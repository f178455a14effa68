"""What every section of a study is made of: a block of keys, each with a description."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
"""Short id of a model, dataset or judge: never a dot, which DVC would read as nesting."""

Temperature = Annotated[float, Field(ge=0, le=10)]
Share = Annotated[float, Field(gt=0, le=1)]


def _unique(values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values):
        raise ValueError(f"a value stands twice in {values}")
    return values


Unique = AfterValidator(_unique)


def field(default: Any, description: str, unit: str = "") -> Any:
    """A key with its description and, where it has one, its unit; `...` makes it required."""
    extra: Any = {"unit": unit} if unit else None
    if callable(default):
        return Field(default_factory=default, description=description, json_schema_extra=extra)
    return Field(default, description=description, json_schema_extra=extra)


class Section(BaseModel):
    """A block of keys; a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

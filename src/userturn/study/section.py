"""What every section of a study is made of: a block of keys, each with a description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic_core import core_schema

from userturn.base import registry

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$", max_length=64)]
"""Short id of a model, dataset or judge: never a dot, which DVC would read as nesting."""

LARGEST = 2**31 - 1
Count = Annotated[int, Field(ge=1, le=LARGEST)]
"""How many of something there are, or at most are."""
Tokens = Annotated[int, Field(ge=1, le=2**53)]
"""How many tokens all of a study may take: more than a Count holds, and exact in every reader."""
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Temperature = Annotated[float, Field(ge=0, le=10)]
Share = Annotated[float, Field(gt=0, le=1)]


def _unique(values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values):
        raise ValueError(f"a value stands twice in {values}")
    return values


Unique = AfterValidator(_unique)


@dataclass(frozen=True)
class NameIn:
    """Constraint on a string: the name of a module in a room, so that a new file is a new choice.

    >>> ConditionName = Annotated[str, NameIn("perturbations")]

    Attributes:
        room: As in `base.registry`.
        also: Names that are allowed beside those of the modules.
    """

    room: str
    also: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """What is allowed."""
        return [*self.also, *registry.names(self.room)]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """How pydantic checks it."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """How a JSON schema says it."""
        return {**handler(schema), "enum": self.names}

    def _check(self, name: str) -> str:
        if self.names and name not in self.names:
            folder = self.room.replace(".", "/")
            raise ValueError(f"unknown name; src/userturn/{folder}/ has: {', '.join(self.names)}")
        return name


def field(default: Any, description: str, unit: str = "", otherwise: str = "") -> Any:
    """A key of a section.

    Args:
        default: Its default, a function that makes it, or `...` where the key is required.
        description: What it is.
        unit: Its unit, where it has one.
        otherwise: What a key that is left out becomes, where other keys decide that.
    """
    notes = {"unit": unit, "otherwise": otherwise}
    extra: Any = {name: note for name, note in notes.items() if note} or None
    if callable(default):
        return Field(default_factory=default, description=description, json_schema_extra=extra)
    return Field(default, description=description, json_schema_extra=extra)


class Section(BaseModel):
    """A block of keys; a key it does not know is an error, and so is a number that is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

"""Every key of a study in words: what it is, and what is wrong with one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic.json_schema import models_json_schema

from userturn.study.judges import LocalJudge, ServerJudge
from userturn.study.section import Section
from userturn.study.sources import FileSource, GeneratorSource, HubSource, WheelSource
from userturn.study.study import Params, Registry

FILES: dict[str, type[Section]] = {"params.yaml": Params, "registry.yaml": Registry}
LONGEST_SHOWN = 60
"""Characters of a wrong value that an error repeats."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a file.

    Attributes:
        file: File it stands in.
        name: Dotted name; `<slug>` stands for the slugs of a registry.
        default: Its default as JSON, `required`, or what it becomes where it is left out.
        unit: Its unit, or empty.
        description: What it is.
        type: Only sections whose `type` is this have the key; empty: all have it.
    """

    file: str
    name: str
    default: str
    unit: str
    description: str
    type: str = ""


def describe_keys() -> list[Key]:
    """Every key of a study and its registry, in the order of the files."""
    return [key for file, kind in FILES.items() for key in dict.fromkeys(_describe(file, kind, ""))]


def schema_text() -> str:
    """JSON schema of both files, as studies/schema.json holds it.

    An editor takes it for a study as `schema.json#/$defs/Params`, for the registry as
    `schema.json#/$defs/Registry`.
    """
    pairs: Any = [(kind, "validation") for kind in FILES.values()]
    _, schema = models_json_schema(pairs)
    schema["anyOf"] = [{"$ref": f"#/$defs/{kind.__name__}"} for kind in FILES.values()]
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def explain_error(kind: type[Section], problem: Mapping[str, Any]) -> str:
    """One line for one pydantic error: the key, what is wrong, what is allowed.

    Args:
        kind: What was checked.
        problem: One of pydantic's errors.
    """
    location = [str(part) for part in problem["loc"]]
    tags = {index + 1 for index, part in enumerate(location) if part == "source"}
    tags |= {2} if location[:1] == ["judge"] else set()  # judge.<slug>.<type>.key
    key = ".".join(
        part for index, part in enumerate(location) if index not in tags and part != "[key]"
    )
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key; allowed here: {', '.join(_keys_at(kind, location[:-1]))}"
    if problem["type"] == "string_pattern_mismatch" and "[key]" in location:
        return f"{key}: a slug is made of a-z, 0-9 and _ (no dot: DVC reads dots as nesting)"
    message = problem["msg"].removeprefix("Value error, ")
    given = problem.get("input")
    shown = "" if isinstance(given, dict | list) or not key else f" (given: {_shown(given)})"
    return f"{key}: {message}{shown}" if key else message


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes no numbers of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _keys_at(root: type[Section], location: list[str]) -> list[str]:
    """Keys that the section at a location allows, by walking the sections' annotations."""
    kinds: list[type[Section]] = [root]
    for part in location:
        kinds = [inner for kind in kinds for inner in _step(kind, part)]
    return sorted({name for kind in kinds for name in kind.model_fields})


def _step(kind: type[Section], part: str) -> list[type[Section]]:
    """Sections reachable from one section by one part of an error's location."""
    field = kind.model_fields.get(part)
    if field is None:  # a slug of a registry, or the discriminator of a source: same section
        by_type: dict[str, type[Section]] = {
            "hub": HubSource,
            "wheel": WheelSource,
            "file": FileSource,
            "generator": GeneratorSource,
            "local": LocalJudge,
            "server": ServerJudge,
        }
        return [by_type[part]] if part in by_type else [kind]
    return _sections_in(field.annotation)


def _sections_in(annotation: Any) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [inner for arg in getattr(annotation, "__args__", ()) for inner in _sections_in(arg)]


def _describe(file: str, kind: type[Section], prefix: str, kind_type: str = "") -> Iterator[Key]:
    for name, field in kind.model_fields.items():
        sections = list(dict.fromkeys(_sections_in(field.annotation)))
        is_registry = getattr(field.annotation, "__origin__", None) is dict and bool(sections)
        path = f"{prefix}{name}.<slug>" if is_registry else f"{prefix}{name}"
        if not sections:
            notes = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
            if field.is_required():
                default = "required"
            else:
                default = json.dumps(field.get_default(call_default_factory=True))
            default = str(notes.get("otherwise", default))
            unit, description = str(notes.get("unit", "")), field.description or ""
            yield Key(file, path, default, unit, description, kind_type)
        for section in sections:
            kinds = get_args(section.model_fields["type"].annotation) if len(sections) > 1 else ()
            yield from _describe(file, section, f"{path}.", *kinds)

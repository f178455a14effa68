"""Every key of a study in words: what it is, and what is wrong with one."""

from __future__ import annotations

import json
from typing import Any

from userturn.study.judges import LocalJudge, ServerJudge
from userturn.study.section import Section
from userturn.study.sources import FileSource, GeneratorSource, HubSource, WheelSource
from userturn.study.study import Study


def explain_error(problem: dict[str, Any]) -> str:
    """One line for one pydantic error: the key, what is wrong, what is allowed."""
    location = [str(part) for part in problem["loc"]]
    tags = {index + 1 for index, part in enumerate(location) if part == "source"}
    tags |= {2} if location[:1] == ["judge"] else set()  # judge.<slug>.<type>.key
    key = ".".join(
        part for index, part in enumerate(location) if index not in tags and part != "[key]"
    )
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key; allowed here: {', '.join(_keys_at(location[:-1]))}"
    if problem["type"] == "string_pattern_mismatch" and "[key]" in location:
        return f"{key}: a slug is made of a-z, 0-9 and _ (no dot: DVC reads dots as nesting)"
    message = problem["msg"].removeprefix("Value error, ")
    given = problem.get("input")
    shown = "" if isinstance(given, dict | list) or not key else f" (given: {given!r})"
    return f"{key}: {message}{shown}" if key else message


def _keys_at(location: list[str]) -> list[str]:
    """Keys that the section at a location allows, found by walking the models' annotations."""
    kinds: list[Any] = [Study]
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


def schema_text() -> str:
    """JSON schema of a study, as studies/schema.json holds it."""
    return json.dumps(Study.model_json_schema(), indent=2, sort_keys=True) + "\n"


def describe_keys() -> list[tuple[str, str, str, str]]:
    """Key, default, unit and description of every key, in the order of a study."""
    return _describe(Study, "")


def _describe(kind: type[Section], prefix: str) -> list[tuple[str, str, str, str]]:
    rows: list[tuple[str, str, str, str]] = []
    for name, field in kind.model_fields.items():
        inner = list(dict.fromkeys(_sections_in(field.annotation)))
        is_registry = getattr(field.annotation, "__origin__", None) is dict and bool(inner)
        path = f"{prefix}{name}.<slug>" if is_registry else f"{prefix}{name}"
        if not inner:
            default = (
                "required"
                if field.is_required()
                else json.dumps(field.get_default(call_default_factory=True))
            )
            extra = field.json_schema_extra
            unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
            rows.append((path, default, unit, field.description or ""))
        for section in inner:
            rows += _describe(section, f"{path}.")
    return list(dict.fromkeys(rows))

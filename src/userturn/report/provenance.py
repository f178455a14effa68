"""Part `provenance`: what the numbers were made of."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from userturn.artifacts import provenance
from userturn.base import paths
from userturn.report._part import Part, Source
from userturn.study.study import Params

CODE = ("src", "params.yaml", "registry.yaml", "dvc.yaml")


def view(source: Source) -> Mapping[str, Any]:
    """Parameters, code, versions and models."""
    facts = {
        model.slug: provenance.read(paths.artifact("user_turns", model.slug))
        for model in source.models
    }
    packages: dict[str, str] = {}
    for one in facts.values():
        packages |= one.get("packages", {})
    params = source.study.model_dump(mode="json", include=set(Params.model_fields))
    return {
        "params": list(_flat(params)),
        "commit": commit(),
        "packages": packages,
        "entries": [_entry(source, slug, one) for slug, one in facts.items()],
    }


def commit() -> str:
    """The last git commit of code and parameters, and whether they were edited since.

    Not the latest of all: one that only records this page would change its bytes. Empty where no
    commit holds them.
    """
    last = _git("log", "-1", "--format=%H", "--", *CODE)
    edited = last and _git("status", "--porcelain", "--", *CODE)
    return f"{last} with edits that are not committed" if edited else last


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _entry(source: Source, slug: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """A model: which bytes it is, and what ran it."""
    path = paths.entries("models")
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    entry = known.get(slug, {})
    return {
        "name": source.name(slug),
        "slug": slug,
        "weights": facts.get("weights"),
        "template": facts.get("chat_template"),
        "switches": facts.get("params", {}).get(f"model.{slug}.chat", {}).get("template_kwargs"),
        "engine": facts.get("engine"),
        "source": entry.get("source"),
        "license": entry.get("license"),
    }


def _flat(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Values by dotted key."""
    for key, value in tree.items():
        name = f"{path}{key}"
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{name}.")
        else:
            yield name, json.dumps(value, ensure_ascii=False)


PART = Part("Provenance", view)

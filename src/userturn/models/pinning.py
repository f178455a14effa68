"""Commits in the place of branches and tags, written into the text of a registry.

The text is edited where a revision stands or has to stand, and nowhere else: comments, order, line
breaks and anchors stay, byte for byte.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from userturn.base.errors import StudyError
from userturn.study.sources import HubSource
from userturn.study.study import Registry

MERGE = "tag:yaml.org,2002:merge"


def hub_sources(
    registry: Registry, entries: Collection[str] | None = None
) -> dict[str, tuple[HubSource, Literal["model", "dataset"]]]:
    """Hub sources by their key, `model.<slug>.source`, each with the kind of its repository.

    Args:
        registry: A registry, or a study.
        entries: Only those, as `<section>.<slug>`.
    """
    return {
        f"{name}.{key}": (source, "model" if name.startswith("model.") else "dataset")
        for section in ("model", "dataset", "reference")
        for name, entry in _entries(registry, section)
        if entries is None or name in entries
        for key in ("source", "answers")
        if isinstance(source := getattr(entry, key, None), HubSource)
    }


def _entries(registry: Registry, section: str) -> Iterator[tuple[str, Any]]:
    for slug, entry in getattr(registry, section).items():
        yield f"{section}.{slug}", entry


def with_commits(text: str, commits: Mapping[str, str], name: str) -> str:
    """The text of a registry with the commits as revisions.

    Args:
        text: The text.
        commits: Commits by the key of their source, as `hub_sources` names it.
        name: The file, for messages.

    Raises:
        StudyError: The text cannot be edited so that it says that and nothing else.
    """
    root = YAML().compose(text)
    edits = dict(_edit(text, _at(root, key.split(".")), commits[key]) for key in commits)
    edited = text
    for start, end in sorted(edits, reverse=True):
        edited = edited[:start] + edits[start, end] + edited[end:]
    wanted = _tree(text)
    try:
        got = _tree(edited)
    except YAMLError:
        got = None
    for key, commit in commits.items():
        section, slug, name_of_source = key.split(".")
        wanted[section][slug][name_of_source]["revision"] = commit
    if got != wanted:
        lines = "; ".join(f"{key}.revision: {commit}" for key, commit in commits.items())
        raise StudyError(f"{name}: its form is none that can be edited here; write by hand {lines}")
    return edited


def _tree(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def _at(node: Node | None, keys: list[str]) -> Node | None:
    """The node at a path of keys, through merges; where it is an alias, the node it stands for."""
    for key in keys:
        node = _value(node, key)
    return node


def _value(node: Node | None, key: str) -> Node | None:
    pairs: list[tuple[Node, Node]] = node.value if isinstance(node, MappingNode) else []
    for name, value in pairs:
        if name.value == key:
            return value
    for name, value in pairs:
        if name.tag == MERGE or name.value == "<<":
            for merged in value.value if isinstance(value, SequenceNode) else [value]:
                if inherited := _value(merged, key):
                    return inherited
    return None


def _edit(text: str, source: Node | None, commit: str) -> tuple[tuple[int, int], str]:
    """The span of a text that makes way for a revision, and what comes there."""
    written = commit if isinstance(_tree(f"a: {commit}")["a"], str) else f'"{commit}"'
    if not isinstance(source, MappingNode):
        return (0, 0), ""  # what cannot be edited is seen by who compares
    for key, value in source.value:
        if key.value == "revision":
            return (value.start_mark.index, value.end_mark.index), written
    for key, value in source.value:
        if key.value == "repo" and isinstance(value, ScalarNode):
            end = value.end_mark.index
            if source.flow_style:
                return (end, end), f", revision: {written}"
            line = text.find("\n", end)  # behind a comment, which stays with its line
            end = len(text) if line < 0 else line
            return (end, end), f"\n{' ' * key.start_mark.column}revision: {written}"
    return (0, 0), ""

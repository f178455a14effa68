"""The rules of the house that no linter knows: short modules, and nouns for things."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "userturn"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 400
VERB = "found"
"""Says nothing about what was found; a reader met it for ten different things."""


def names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that code gives to something or calls something by, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute):
            yield node.attr, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg, node.value.lineno
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.alias):
            yield node.asname or node.name, node.lineno
        elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name, node.lineno


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_a_module_is_short_and_names_things_by_nouns(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    lines = [line for name, line in names(ast.parse(text)) if name == VERB]
    assert not lines, f"`{VERB}` is a verb: name what it is (lines {lines})"


PAGES = ("docs/explanation/architecture.md", "CONTRIBUTING.md")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_only_files_that_there_are(page: str) -> None:
    """Paths in backticks, from the repository or from the package; those in data/ are made."""
    text = (ROOT / page).read_text(encoding="utf-8")
    paths = re.findall(r"`([\w./]+/[\w./]*)`", text)
    assert paths
    for path in paths:
        if not path.startswith(("data/", "reports/")):
            assert any((root / path).exists() for root in (ROOT, PACKAGE)), path


def test_the_walk_through_the_house_is_short() -> None:
    assert len((ROOT / PAGES[0]).read_text(encoding="utf-8").splitlines()) <= 120


def test_every_folder_has_a_line() -> None:
    """In the table of CONTRIBUTING.md, that is; a room's line may stand for its package."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for folder in PACKAGE.iterdir():
        if (folder / "__init__.py").exists():
            assert f"`{folder.name}/" in text, folder.name

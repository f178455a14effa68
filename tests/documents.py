"""The documents' shell commands, for tests that run them or look them up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
RUN = "<!-- run -->"
"""Stands in front of a block that a test runs."""
BLOCK = re.compile(rf"^({re.escape(RUN)}\n)?```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> Iterator[tuple[bool, str]]:
    """Shell blocks of a page: whether it is to be run, and its lines."""
    for marked, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        yield bool(marked), text


def commands(page: Path) -> list[str]:
    """Every line of a shell block and every inline code that calls `userturn`."""
    lines = [line for _, text in blocks(page) for line in text.splitlines()]
    inline = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", page.read_text(encoding="utf-8"))
    return [
        part.strip()
        for line in [*lines, *inline]
        for part in re.split(r"&&|\||>", line.partition(" #")[0])
        if re.match(r"\s*userturn [a-z]", part)
    ]

"""What several perturbations share."""

from __future__ import annotations


def append(answer: str, line: str) -> str:
    """The answer with a line behind it, after an empty one."""
    return f"{answer.rstrip()}\n\n{line}" if answer.strip() else line

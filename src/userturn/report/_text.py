r"""Texts of models and datasets on the page: every character to be seen, none obeyed.

Control characters, direction marks and characters without a width are spelled out, so that nothing
reads as what it is not. The page's script does the same by the same pattern.
"""

from __future__ import annotations

import json
import re
from typing import Any

from markupsafe import Markup, escape

from userturn.artifacts.csv_file import UNSEEN

HIDDEN = re.compile(
    UNSEEN.pattern.removesuffix("]") + "\u200b\u2028\u2029\u2060-\u2064\ufeff\ufff9-\ufffb]"
)
"""Characters that are spelled out: UNSEEN, separators of lines, and what has no width.

Joiners stay: scripts and emoji need them.
"""
UNSAFE = re.compile("[<>&\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""Characters that stand as escapes in JSON inside a page."""


def visible(text: str | None) -> Markup:
    r"""A text as HTML, its hidden characters spelled out and marked.

    >>> visible("a<\u202eb")
    Markup('a&lt;<span class="hidden">U+202E</span>b')
    """
    pieces: list[Markup] = []
    start = 0
    for match in HIDDEN.finditer(text or ""):
        pieces += [escape((text or "")[start : match.start()]), _mark(match[0])]
        start = match.end()
    return Markup("").join([*pieces, escape((text or "")[start:])])


def json_block(value: Any) -> Markup:
    """A value as JSON that stands in a `script` element: nothing in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text))  # noqa: S704 - escaped


def _mark(character: str) -> Markup:
    return Markup('<span class="hidden">U+{}</span>').format(f"{ord(character):04X}")

"""Common beginnings and ends of what a template writes, cut between words and never inside one."""

from __future__ import annotations

import re
from itertools import takewhile

_PIECE = re.compile(r"<[^<>\s]*>|\[[^\[\]\s]*\]|\w+|.", re.DOTALL)
TAG = re.compile(r"</?[^<>\s/]+/?>|\[/?[^\[\]\s/]+\]")
"""What looks like a marker, whether or not the tokenizer has a token for it."""


def common_start(one: str, other: str) -> str:
    """The longest beginning in whole words that two texts share."""
    pairs = zip(_PIECE.findall(one), _PIECE.findall(other), strict=False)
    return "".join(left for left, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def common_end(one: str, other: str) -> str:
    """The longest end in whole words that two texts share."""
    pairs = zip(_PIECE.findall(one)[::-1], _PIECE.findall(other)[::-1], strict=False)
    shared = [left for left, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]
    return "".join(reversed(shared))


def between(text: str, left: str, right: str) -> str:
    """What stands between two slots; empty unless both are there in this order."""
    middle, slot, _ = text.partition(left)[2].partition(right)
    return middle if slot else ""

"""What was said before a query, as data for a judge; a long history is cut in its middle. Pure.

Who speaks is said by the structure and not by the text, so that no text can open a turn of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby

from userturn.artifacts.messages import Message

MOST = 24_000
"""Characters of a history that any judge is given, about 6,000 tokens."""
LEAST = 750
"""Characters to which a history is cut for a judge of short contexts before it gets none."""


def limits(messages: Sequence[Message]) -> Iterator[int]:
    """To how many characters a history may be cut, the most first, for who tries what fits.

    >>> list(limits([Message("user", "x" * 2000)])), list(limits([]))
    ([2000, 1000, 0], [0])
    """
    limit = min(MOST, _size(messages))
    while limit:
        yield limit
        limit = limit // 2 if limit // 2 >= LEAST else 0
    yield 0


def data(messages: Sequence[Message], limit: int) -> str:
    """A history as a JSON list of messages, with at most `limit` characters of what they say.

    Its beginning and its end are kept, half of the limit each. Where a message is cut, its text
    says how much is left out; messages that are left out whole are counted in their place.

    >>> data([Message("user", "Why is the sky blue?")], 12)
    '[{"role": "user", "content": "Why is[… 8 characters left out …] blue?"}]'
    """
    size = _size(messages)
    head, tail = (size, size) if size <= limit else (limit // 2, size - limit // 2)
    entries: list[dict[str, str]] = []
    start = 0
    for one in messages:
        entries.append(_entry(one, head - start, tail - start))
        start += len(one.content)
    listed: list[dict[str, str]] = []
    for kept, group in groupby(entries, bool):
        run = list(group)
        listed += run if kept else [{"left_out": f"{len(run)} messages"}]
    return json.dumps(listed, ensure_ascii=False)


def _entry(one: Message, head: int, tail: int) -> dict[str, str]:
    """A message without what stands from `head` to `tail` in it; empty where that is all of it."""
    text = one.content
    head, tail = max(head, 0), min(tail, len(text))
    if head < tail:
        if tail - head == len(text):
            return {}
        text = f"{text[:head]}[… {tail - head:,} characters left out …]{text[tail:]}"
    return {"role": one.role, "content": text}


def _size(messages: Sequence[Message]) -> int:
    return sum(len(one.content) for one in messages)

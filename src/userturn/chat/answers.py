"""What a generated answer consists of: the reasoning in front, and the content.

The content begins behind the last place where reasoning ends, which is told by the tokens that the
template puts there, or by their text where the tokenizer has none. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from userturn.chat.affix import TAG
from userturn.chat.layout import Layout

Decode = Callable[[Sequence[int]], str]


def content(layout: Layout, ids: Sequence[int], decode: Decode) -> str:
    """What a conversation keeps of an answer: its content, without its reasoning.

    Empty if the model never came to it: if it did not end reasoning that it or the generation
    prompt began, or did not write the marks that open every answer of the template.
    """
    kept = tuple(ids)
    thought = layout.reasoning
    if layout.codec.last_marks(layout.opener):
        behind = _behind(layout, layout.opener, kept, decode)
        return "" if behind is None else behind
    if thought is not None:
        behind = _behind(layout, thought.end, kept, decode)
        if behind is not None:
            return behind
        start = layout.codec.swap(thought.start).strip()
        if thought.opened or (start and decode(kept).lstrip().startswith(start)):
            return ""
    return decode(kept).removeprefix(layout.codec.swap(layout.opener))


def reasoning(layout: Layout, ids: Sequence[int], decode: Decode) -> str:
    """What a model thought in front of an answer's content; empty where it did not."""
    thought = layout.reasoning
    if thought is None:
        return ""
    text = decode(ids)
    start, end = (layout.codec.swap(part).strip() for part in (thought.start, thought.end))
    if not thought.opened and not text.lstrip().startswith(start):
        return ""
    return text.lstrip().removeprefix(start).rpartition(end)[0].strip() or (
        "" if end in text else text.lstrip().removeprefix(start).strip()
    )


def _behind(layout: Layout, opener: str, ids: tuple[int, ...], decode: Decode) -> str | None:
    """The text behind the last marker of an opener, up to the end of the answer; None without."""
    codec = layout.codec
    marked = codec.last_marks(opener)
    if not marked:
        return _behind_text(codec.swap(opener), decode(ids))
    sought = codec.encode(marked)
    places = (
        end
        for end in range(len(ids), len(sought) - 1, -1)
        if ids[end - len(sought) : end] == sought
    )
    if (start := next(places, None)) is None:
        return None
    rest = ids[start:]
    over = codec.first_control(layout.after_answer)
    if over in rest:
        rest = rest[: rest.index(over)]
    return _unprefixed(decode(rest), opener.rpartition(marked)[2])


def _behind_text(opener: str, text: str) -> str | None:
    """`_behind` where the last marker of an opener is plain text."""
    marker = next(reversed(TAG.findall(opener)), opener.strip())
    _, seen, rest = text.rpartition(marker)
    closing = marker[:1] + "/" + marker[1:]  # where the marker opens the answer proper
    return _unprefixed(rest.partition(closing)[0], opener.rpartition(marker)[2]) if seen else None


def _unprefixed(text: str, gap: str) -> str:
    """A content without the whitespace that the template puts in front of it."""
    return text.removeprefix(gap) if text.startswith(gap) else text

"""What a generated answer consists of: the reasoning in front, and the content.

The content begins behind the last place where reasoning ends, which is told by the tokens that the
template puts there, or by their text where the tokenizer has none. Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from userturn.chat.affix import TAG
from userturn.chat.codec import Codec
from userturn.chat.layout import Layout

Decode = Callable[[Sequence[int]], str]


def content(layout: Layout, ids: Sequence[int], decode: Decode) -> str:
    """What a conversation keeps of an answer: its content, without its reasoning.

    Empty if the model never came to it: if it did not end reasoning that it or the generation
    prompt began, or did not write the marks that open every answer of the template.
    """
    kept, codec, thought = tuple(ids), layout.codec, layout.reasoning
    opener = layout.opener
    gaps = [_gap(codec, text) for text in (opener, thought.end if thought else "")]
    if marked := codec.last_marks(opener):
        if thought and marked in thought.start:  # the words in front of the mark tell them apart
            behind = _behind_words(codec.swap(opener).strip(), decode(kept))
        else:
            behind = _behind(layout, marked, kept, decode)
        return "" if behind is None else _without(behind, gaps)
    if thought is not None:
        marked = codec.last_marks(thought.end)
        if marked and not thought.end.rpartition(marked)[2].strip():
            behind = _behind(layout, marked, kept, decode)
        else:
            behind = _behind_words(_last_words(codec.swap(thought.end)), decode(kept))
        if behind is not None:
            return _without(behind, gaps)
        start = codec.swap(thought.start).strip()
        if thought.opened or (start and decode(kept).lstrip().startswith(start)):
            return ""
    return decode(kept).removeprefix(codec.swap(opener))


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


def _behind(layout: Layout, marked: str, ids: tuple[int, ...], decode: Decode) -> str | None:
    """The text behind the last place of marks, up to the end of the answer; None without."""
    codec = layout.codec
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
    return decode(rest[: rest.index(over)] if over in rest else rest)


def _behind_words(words: str, text: str) -> str | None:
    """The text behind the last place of words; None without.

    Where the words open the answer proper, as <response> does, it ends where they close.
    """
    _, seen, rest = text.rpartition(words)
    return rest.partition(words[:1] + "/" + words[1:])[0] if seen else None


def _last_words(end: str) -> str:
    """The last marker of what ends reasoning; all of it without one."""
    return next(reversed(TAG.findall(end)), end.strip())


def _gap(codec: Codec, text: str) -> str:
    """The whitespace that the template writes behind the last marker of a text."""
    plain = codec.swap(text)
    return plain[len(plain.rstrip()) :]


def _without(text: str, gaps: Sequence[str]) -> str:
    """A content without the whitespace that the template puts in front of it."""
    gap = next((gap for gap in sorted(gaps, key=len)[::-1] if gap and text.startswith(gap)), "")
    return text.removeprefix(gap)


def up_to(ids: Sequence[int], place: int, decode: Decode) -> int:
    """How many ids spell no more than the text up to a place."""
    counts = range(len(ids) + 1)
    return bisect_right(counts, place, key=lambda count: len(decode(ids[:count]))) - 1

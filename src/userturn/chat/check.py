"""The self-check: a template that does not carry a conversation as it is, is refused."""

from __future__ import annotations

import re

from userturn.chat.layout import Layout
from userturn.chat.template import Template

PROBES = (
    " \n Two  spaces,\n\n\na list:\n- 1. <b>&amp;</b> {{ x }}\t\\n 'q' \"Q\" \n",
    "\n\nÜbermäßig 私は שלום 👩‍👩‍👧 — 3.14?\r\nEnd.  ",
    "  Why is (that) 100 % so?\n",
)
"""Contents of the self-check: nothing but whitespace at their ends may change."""

OPENINGS = (
    "Why?", "what about", "I", "2 + 2", "42", "'quoted'", '"Q"', "- item", "(see)", "# Title",
    "…", "é", "Ünder", "私は", "שלום", "привет", "🙂", "```py", "$x$", "/help", "<b>", "user", "s",
)  # fmt: skip
"""How ordinary user turns begin; none may merge with the end of the header."""


def check(template: Template, layout: Layout) -> None:
    """Refuse a template that does not carry a conversation as it is.

    Args:
        template: The template.
        layout: What it writes around turns, in marks that none of PROBES and OPENINGS holds.

    Raises:
        TemplateError: The template drops, repeats, reorders, merges or alters turns (whitespace
            around them aside); does not tell user from assistant; writes no generation prompt; or
            its user header merges with the text behind it.
    """
    codec = layout.codec
    for first, then, text in (
        ("query", "answer", layout.before_answer),
        ("answer", "user turn", layout.tail),
    ):
        if not text.strip():
            raise template.broken(f"merges the {then} into the {first}")
    if layout.headers["user"] == layout.headers["assistant"]:
        raise template.broken("opens user and assistant turns in the same way")
    unprompted = template.conversation(codec, codec.slots[:1])
    header = layout.headers["assistant"]
    if not layout.prompt.removeprefix(unprompted.partition(codec.slots[0])[2]).strip() and (
        codec.first_control(header) is not None
    ):
        raise template.broken("ignores add_generation_prompt")
    # The rendering may differ from that of bare slots by whitespace around the contents alone.
    bare = template.conversation(codec, codec.slots)
    pieces = re.split("([" + "".join(codec.slots) + "])", bare)
    contents = dict(zip(codec.slots, PROBES, strict=True))
    pattern = "".join(
        rf"\s*{re.escape(contents[piece].strip())}\s*" if piece in contents
        else re.escape(piece)
        for piece in pieces
    )  # fmt: skip
    if not re.fullmatch(pattern, template.conversation(codec, PROBES)):
        raise template.broken("alters the text of turns")
    left = bare.partition(codec.slots[2])[0]
    header_ids = codec.encode(left)
    for opening in OPENINGS:
        if codec.encode(left + opening)[: len(header_ids)] != header_ids:
            raise template.broken(f"ends the user header so that it merges with {opening!r}")

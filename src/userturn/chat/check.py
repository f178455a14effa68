"""The self-check: a template that does not carry a conversation as it is, is refused."""

from __future__ import annotations

import re
from collections.abc import Sequence

from userturn.artifacts.messages import Message
from userturn.base.errors import TemplateError
from userturn.chat import dates
from userturn.chat.affix import common_start
from userturn.chat.codec import Codec
from userturn.chat.layout import Layout, cut
from userturn.chat.messages import alternating
from userturn.chat.template import Template, passable

PROBES = (
    " \n Two  spaces,\n\n\na list:\n- 1. <b>&amp;</b> {{ x }}\t\\n 'q' \"Q\" \n",
    "\n\nÜbermäßig 私は שלום 👩‍👩‍👧 — 3.14?\r\nEnd.  ",
    "  Why is (that) 100 % so?\n",
    "```py\nx = {'a': [1, 2]}\n```\nSee above.",
    "One more\n\nthing:",
)
"""Contents of the self-check: nothing but whitespace at their ends may change."""

SYSTEM = "You are <i>terse</i>.\n\n- No {{ lists }}."
"""The system message of the self-check."""

OPENINGS = (
    "Why?", "what about", "I", "2 + 2", "42", "'quoted'", '"Q"', "- item", "(see)", "# Title",
    "…", "é", "Ünder", "私は", "שלום", "привет", "🙂", "```py", "$x$", "/help", "<b>", "user", "s",
)  # fmt: skip
"""How ordinary user turns begin; none may merge with the end of the header."""


def check_contents(template: Template, codec: Codec, *, system: bool = False) -> None:
    """Refuse a template that does not carry contents as they are.

    Args:
        template: The template.
        codec: Marks that none of PROBES and SYSTEM holds.
        system: Check a conversation that begins with a system message too.

    Raises:
        TemplateError: The template drops, repeats, reorders or alters messages, whitespace around
            them aside.
    """
    turns = alternating(*PROBES)
    _check_contents(template, codec, turns)
    if system:
        _check_contents(template, codec, (Message("system", SYSTEM), *turns))


def check_layout(template: Template, layout: Layout) -> None:
    """Refuse a template whose turns a model could not tell apart, or could not continue.

    Args:
        template: The template.
        layout: What it writes around turns, in marks that none of OPENINGS holds.

    Raises:
        TemplateError: The template merges turns; does not tell user from assistant; writes no
            generation prompt; opens later user turns otherwise, or so that the header merges with
            the text behind it; or it writes today's date.
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
    prompted = common_start(layout.prompt, layout.before_answer)
    if layout.headers["assistant"].strip() and layout.closes_query.startswith(prompted):
        raise template.broken("ignores add_generation_prompt")
    _check_dates(template)
    left = _check_contexts(template, layout)
    context = codec.encode(cut(left))
    for opening in OPENINGS:
        if codec.encode(left + opening)[: len(context)] != context:
            raise template.broken(f"ends the user header so that it merges with {opening!r}")


def _check_dates(template: Template) -> None:
    """Refuse a template that writes another text on another day."""
    messages = passable(alternating("1", "2", "3"), None)
    days = [
        template.render_with(arguments, messages, prompt=True)
        for arguments in dates.some_days(template.arguments)
    ]
    if len(set(days)) > 1:
        raise TemplateError(
            f"{template.name}: its chat template writes today's date, so contexts would change "
            "from day to day; pin it in chat.template_kwargs with strftime_now: 2026-01-01"
        )


def _check_contents(template: Template, codec: Codec, messages: Sequence[Message]) -> None:
    """Refuse contents that change.

    A rendering may differ from that of bare slots by whitespace around the contents alone.
    """
    bare = template.conversation(codec, codec.blank(messages))
    slots = codec.slots[: len(messages)]
    contents = dict(zip(slots, (one.content for one in messages), strict=True))
    pattern = "".join(
        rf"\s*{re.escape(contents[piece].strip())}\s*" if piece in contents else re.escape(piece)
        for piece in re.split("([" + "".join(slots) + "])", bare)
    )
    if not re.fullmatch(pattern, template.conversation(codec, messages)):
        raise template.broken("alters the text of turns")


def _check_contexts(template: Template, layout: Layout) -> str:
    """Refuse a third user turn that is opened otherwise than the second; what is left of that."""
    codec = layout.codec
    slots = codec.slots
    for count in (3, 5):
        text = template.conversation(codec, alternating(*slots[:count]))
        if not text.partition(slots[count - 1])[0].endswith(layout.headers["user"]):
            raise template.broken("opens a later user turn differently")
    return template.conversation(codec, alternating(*slots[:3])).partition(slots[2])[0]

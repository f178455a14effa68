"""Slots: what a chat template writes around turns, read off conversations without content.

A conversation is rendered with a private-use character, a slot, as the content of each message, and
taken apart at the slots. What stands between two slots is how the template closes one turn and
opens the next; what stands left of a slot is the context in which a model would write that turn.

For a ChatML template, with ⓢ and ⓔ as the marks of its two control tokens (see `codec`), ① ② ③ as
the slots of query, answer and user turn, and ⏎ for a newline:

    ⓢuser⏎①ⓔ⏎ⓢassistant⏎②ⓔ⏎ⓢuser⏎③ⓔ⏎

    before_answer  ⓔ⏎ⓢassistant⏎     between ① and ②
    tail           ⓔ⏎ⓢuser⏎          between ② and ③
    after_user     ⓔ⏎…               behind ③: its first mark ends a user turn
    headers        user: ⓢuser⏎, assistant: ⓢassistant⏎   `tail` less what closes ②
    prompt         ⓔ⏎ⓢassistant⏎     behind ① alone, with the generation prompt
    opener         nothing; <think>⏎⏎</think>⏎⏎ and the like where `prompt` lacks them

All that stands left of ③ is the context of a user turn, in the mode `history`.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from userturn.base.errors import TemplateError
from userturn.chat.codec import Codec
from userturn.chat.template import Template

ROLES = ("user", "assistant", "system", "developer", "tool")
"""Roles whose headers are looked for; a template need only know the first two."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a template writes around turns, control tokens as the codec's marks."""

    codec: Codec
    prompt: str  # behind a query, up to where the answer is generated
    before_answer: str  # behind a query, up to the content of an answer
    opener: str  # from the generation prompt's end to the content of an answer
    after_answer: str  # behind an answer that nothing follows
    tail: str  # behind an answer, up to the content of the user turn
    after_user: str  # behind that user turn, generation prompt included
    headers: dict[str, str]  # by role: what opens a turn


def read(template: Template, codec: Codec) -> Layout:
    """Read off renderings of bare slots what a template writes around turns.

    Raises:
        TemplateError: The template changes the slots, or does not show where a header begins.
    """
    one, two, three = codec.slots
    prompted = template.conversation(codec, [one], prompt=True)
    answered = template.conversation(codec, [one, two])
    asked = template.conversation(codec, [one, two, three], prompt=True)
    before_answer = _between(answered, one, two)
    prompt = prompted.partition(one)[2]
    headers = {
        role: text
        for role in ROLES
        if (text := _header(template, codec, role)) is not None
    }  # fmt: skip
    if not headers.get("user") or "assistant" not in headers:
        raise template.broken("does not show where a turn's header begins")
    tail = _between(asked, two, three)
    if not tail.endswith(headers["user"]):
        raise template.broken("opens a user turn differently behind an answer")
    return Layout(
        codec=codec,
        prompt=prompt,
        before_answer=before_answer,
        opener=before_answer.removeprefix(prompt) if before_answer.startswith(prompt) else "",
        after_answer=answered.partition(two)[2],
        tail=tail,
        after_user=asked.partition(three)[2],
        headers=headers,
    )


def _header(template: Template, codec: Codec, role: str) -> str | None:
    """What opens a turn of this role; empty where nothing does, None where it is not shown.

    It is what stands between two turns less what closes the first one when nothing follows it.
    Turns are tried behind both a query and an answer, first where this role belongs.
    """
    before, slot = codec.slots[1:]
    answer = {"role": "assistant", "content": before}
    starts = [
        [{"role": "user", "content": before}],
        [{"role": "user", "content": codec.slots[0]}, answer],
    ]
    header: str | None = None
    for start in starts if role == "assistant" else reversed(starts):
        with suppress(TemplateError):  # not every template takes every order of roles
            closing = codec.swap(template.render(start)).partition(before)[2]
            text = codec.swap(template.render([*start, {"role": role, "content": slot}]))
            between = _between(text, before, slot)
            if between and between.startswith(closing):
                header = header or between.removeprefix(closing)
    return header


def _between(text: str, left: str, right: str) -> str:
    """What stands between two slots; empty unless both are there in this order."""
    between, slot, _ = text.partition(left)[2].partition(right)
    return between if slot else ""

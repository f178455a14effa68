"""Headers: what opens a turn of a role, and what closes the turn before it.

A template shows both in one stretch. What closes a turn also stands where nothing follows it, and
what opens a turn also stands at the beginning of a conversation; each candidate is a stretch less
what is known of the other part, and the shortest one is the header. No one way serves all
templates: some close a last turn otherwise, or not at all, and some put a system turn in front.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from userturn.base.errors import TemplateError
from userturn.chat.affix import between, common_end, common_start
from userturn.chat.codec import Codec
from userturn.chat.messages import ROLES
from userturn.chat.template import Template


@dataclass(frozen=True, slots=True)
class Headers:
    """What opens and closes turns.

    Attributes:
        opens: By role: what opens a turn; empty where nothing does, absent where it is not shown.
        closes_query: What closes a user turn.
        closes_answer: What closes an answer.
    """

    opens: dict[str, str]
    closes_query: str
    closes_answer: str


def read(template: Template, codec: Codec) -> Headers:
    """Read off renderings of bare slots what opens and closes turns.

    Raises:
        TemplateError: The template does not show where a user turn or an answer begins.
    """
    one, two, three = codec.slots[:3]
    seen = _Renderings(template, codec)
    whole = seen.of("user", "assistant", "user")
    tail, before_answer = between(whole, two, three), between(whole, one, two)
    front, _, after_query = seen.of("user").partition(one)
    after_answer = seen.of("user", "assistant").partition(two)[2]
    end = codec.swap(template.tokenizer.eos_token or "")
    closes_answer = _closing(after_answer, tail, end)
    behind_user = between(seen.of("user", "user"), one, two)
    user = _shortest(
        [
            _less(tail, closes_answer),
            common_end(tail, front),
            _less(behind_user, _closing(after_query, behind_user, end)),
            _behind(tail, end),
        ],
        tail,
    )
    if not user.strip() or not tail.endswith(user):
        raise template.broken("does not show where a user turn's header begins")
    prompts_always = bool(after_answer.strip()) and not closes_answer
    closes_answer = tail.removesuffix(user)
    closes_query = _closing(after_query, before_answer, end)
    headless = before_answer.strip() == closes_query.strip()
    assistant = _shortest(
        [
            "" if prompts_always else _less(before_answer, closes_query),
            _less(before_answer, closes_answer),
            common_end(before_answer, seen.of("assistant").partition(one)[0]),
            _behind(before_answer, end),
        ],
        "" if headless else before_answer,
    )
    opens = {"user": user, "assistant": assistant}
    for role in ROLES[2:]:
        stretches = [
            (between(seen.of("user", role), one, two), before_answer.removesuffix(assistant)),
            (between(seen.of("user", "assistant", role), two, three), closes_answer),
        ]
        candidates = [text.removeprefix(closed) for text, closed in stretches if text.strip()]
        if candidates:
            opens[role] = min(candidates, key=len)
    return Headers(opens, before_answer.removesuffix(assistant), closes_answer)


class _Renderings:
    """Renderings of slots by their roles; empty where the template rejects them."""

    def __init__(self, template: Template, codec: Codec) -> None:
        self._template = template
        self._codec = codec

    def of(self, *roles: str) -> str:
        """The rendering of one slot for each role."""
        messages: list[Mapping[str, Any]] = [
            {"role": role, "content": slot}
            for role, slot in zip(roles, self._codec.slots, strict=False)
        ]
        with suppress(TemplateError):  # not every template takes every order of roles
            return self._codec.swap(self._template.render(messages))
        return ""


def _closing(last: str, followed: str, end: str) -> str:
    """What closes a turn: what stands behind it both at the end of a conversation and not.

    Empty where it is not known: a last turn may be followed by the header of the next one already,
    or by an end of sequence in place of the end of a turn.
    """
    closing = common_start(last, followed)
    rest = last.removeprefix(closing)
    return closing if not rest.removeprefix(end).strip() else ""


def _less(text: str, closing: str) -> str:
    """A stretch without what closes the turn before; empty where that is not known."""
    return text.removeprefix(closing) if closing and text.startswith(closing) else ""


def _behind(text: str, end: str) -> str:
    """A stretch behind the last end of sequence in it; empty without one."""
    return text.rpartition(end)[2].lstrip() if end and end in text else ""


def _shortest(candidates: Iterable[str], default: str) -> str:
    """The shortest candidate that holds anything."""
    return min((text for text in candidates if text.strip()), key=len, default=default)

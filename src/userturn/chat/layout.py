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
    headers        user: ⓢuser⏎, assistant: ⓢassistant⏎   (see `headers`)
    prompt         ⓔ⏎ⓢassistant⏎     behind ① alone, with the generation prompt
    opener         nothing; <think>⏎⏎</think>⏎⏎ and the like where `prompt` lacks them
    another        ⓔ⏎ⓢassistant⏎     behind ②, up to another answer

All that stands left of ③ is the context of a user turn, in the mode `history`. Where the user
header ends in spaces, as in `USER: `, a model writes the space as part of its first word's token:
the context is cut in front of them, and they are the `gap`.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from userturn.base.errors import TemplateError
from userturn.chat import headers, reasoning
from userturn.chat.affix import between, common_start
from userturn.chat.codec import Codec
from userturn.chat.headers import Headers
from userturn.chat.messages import alternating
from userturn.chat.reasoning import Reasoning
from userturn.chat.template import Template


@dataclass(frozen=True, slots=True)
class Layout:
    """What a template writes around turns, control tokens as the codec's marks."""

    codec: Codec
    prompt: str  # behind a query, up to where the answer is generated
    before_answer: str  # behind a query, up to the content of an answer
    closes_query: str  # what of both closes that query
    opener: str  # from the generation prompt's end to the content of an answer
    after_answer: str  # behind an answer that nothing follows
    tail: str  # behind an answer, up to the content of the user turn
    after_user: str  # behind that user turn, generation prompt included
    headers: dict[str, str]  # by role: what opens a turn
    another: str | None  # behind an answer, up to another one; None where none can follow
    reasoning: Reasoning | None  # how reasoning stands behind the prompt, where there is any

    @property
    def gap(self) -> str:
        """The spaces that end the user header, which belong to a turn's first token."""
        return self.tail[len(cut(self.tail)) :]

    @property
    def path(self) -> str:
        """All that a model may write between the generation prompt and its answer's content."""
        thought = self.reasoning
        return self.opener + (thought.start + thought.end if thought else "")


def read(template: Template, codec: Codec) -> Layout:
    """Read off renderings of bare slots what a template writes around turns.

    Raises:
        TemplateError: The template changes the slots, does not show where a header begins, or
            opens reasoning without an end.
    """
    one, two, three = codec.slots[:3]
    prompted = template.conversation(codec, alternating(one), prompt=True)
    answered = template.conversation(codec, alternating(one, two))
    asked = template.conversation(codec, alternating(one, two, three), prompt=True)
    opens = headers.read(template, codec)
    before_answer = between(answered, one, two)
    prompt = prompted.partition(one)[2]
    thought = reasoning.read(template, codec, prompt, before_answer)
    opener = before_answer.removeprefix(common_start(prompt, before_answer))
    if thought and thought.opened and thought.end.strip() not in opener:
        opener = thought.start + thought.end
    return Layout(
        codec=codec,
        prompt=prompt,
        before_answer=before_answer,
        closes_query=opens.closes_query,
        opener=opener,
        after_answer=answered.partition(two)[2],
        tail=between(asked, two, three),
        after_user=asked.partition(three)[2],
        headers=opens.opens,
        another=_another(template, codec, opens, prompt, opener),
        reasoning=thought,
    )


def cut(text: str) -> str:
    """A text without the spaces at its end, which merge with the word behind them."""
    return text.rstrip(" ")


def _another(
    template: Template, codec: Codec, opens: Headers, prompt: str, opener: str
) -> str | None:
    """What stands between an answer and another one: the answer's end, then the prompt's header.

    Few templates show it, since two answers in a row are rare. It is None where no header opens an
    answer, as where it follows the `[/INST]` that closes a query.
    """
    header = prompt.removeprefix(opens.closes_query)
    if not prompt.startswith(opens.closes_query) or not header.strip():
        return None
    one, two = codec.slots[:2]
    built = opens.closes_answer + header + opener
    with suppress(TemplateError):  # a template may refuse a generation prompt behind an answer
        text = template.rendered(alternating(one, two), prompt=True)
        shown = codec.swap(text).partition(two)[2]
        starts_alike = codec.first_control(shown) == codec.first_control(built)
        if shown.endswith(header) and starts_alike and len(shown + opener) > len(built):
            return shown + opener
    return built

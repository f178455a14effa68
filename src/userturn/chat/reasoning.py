"""Reasoning: what a model writes between the generation prompt and the content of its answer.

How it is opened and closed is read off the template in one of these ways: by rendering an answer
with reasoning; by what the template itself cuts off an answer's text; by how its generation prompt
changes when reasoning is switched; by the empty block in front of an answer that has none; by the
words of its system message. Nothing here knows how a family spells it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from userturn.artifacts.messages import Message
from userturn.base.errors import TemplateError
from userturn.chat.affix import TAG, between, common_start
from userturn.chat.codec import Codec
from userturn.chat.messages import alternating
from userturn.chat.template import Template

SWITCHES = ("enable_thinking", "thinking")
"""Arguments by which templates switch reasoning."""

CANDIDATES = 80
"""Most markers of a template's text that are tried as the end of reasoning."""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """How a model's reasoning stands behind the generation prompt.

    Attributes:
        start: What the model writes before it; empty where the generation prompt opens it.
        end: What stands between it and the content of the answer.
        opened: The generation prompt opens it, so a model that never ends it never answers.
        kept: The template shows the reasoning of earlier answers.
    """

    start: str
    end: str
    opened: bool
    kept: bool


def read(template: Template, codec: Codec, prompt: str, before_answer: str) -> Reasoning | None:
    """Find out how reasoning stands behind a generation prompt.

    Args:
        template: The template.
        codec: Its marks.
        prompt: What the template writes behind a query where an answer is generated.
        before_answer: What it writes between a query and the answer behind it.

    Returns:
        None where the model writes no reasoning, as far as the template shows.

    Raises:
        TemplateError: The generation prompt opens reasoning, and nothing shows how it ends.
    """
    one, two, three = codec.slots[:3]
    asked = template.conversation(codec, alternating(one, two, three))
    extra = prompt.removeprefix(common_start(prompt, between(asked, one, two)))
    tag = _left_open(codec.swap(extra))
    reasoning = _rendered(template, codec, prompt)
    if reasoning is None and (tag or not extra.strip()):
        reasoning = (
            _cut(template, codec, tag)
            or _switched(template, codec, prompt, tag)
            or _shown(codec, before_answer.removeprefix(prompt))
            or _told(template, codec)
        )
    if tag and (reasoning is None or not reasoning.opened):
        raise TemplateError(
            f"{template.name}: its chat template opens reasoning with {tag!r} in the generation "
            "prompt and does not show how it ends, so reasoning would be taken for the answer; "
            "let chat_template.jinja render `reasoning_content`, or set enable_thinking: false "
            "in chat.template_kwargs"
        )
    return reasoning


def _rendered(template: Template, codec: Codec, prompt: str) -> Reasoning | None:
    """As the template renders an answer with reasoning."""
    one, two, three, thought = (*codec.slots[:3], codec.slots[-1])
    if template.reasoning_key is None:
        return None
    asked, answer = alternating(one, two)
    answer = Message("assistant", answer.content, thought)
    text = codec.swap(template.rendered([asked, answer]))
    front, end = between(text, one, thought), between(text, thought, two)
    if not end.strip():
        return None
    kept = thought in template.rendered([asked, answer, Message("user", three)])
    if not front.startswith(prompt):  # the prompt may begin the reasoning itself, in words
        begun = prompt.removeprefix(front)
        closed = TAG.search(codec.swap(begun))
        if not prompt.startswith(front) or closed:
            return None
        return Reasoning("", end, opened=True, kept=kept)
    start = front.removeprefix(prompt)
    return Reasoning(start, end, not start.strip(), kept)


def _cut(template: Template, codec: Codec, tag: str) -> Reasoning | None:
    """As the template cuts reasoning off the text of an answer."""
    one, two, three, thought = (*codec.slots[:3], codec.slots[-1])
    for marker in _markers(template):
        opening = _opening(template, marker)
        if tag and _name(marker) != _name(tag):
            continue
        for text in (f"{thought}{marker}{two}", f"{opening}{thought}{marker}{two}"):
            asked, answer = alternating(one, text)
            for follow in ((), (Message("user", three),)):
                with suppress(TemplateError):
                    shown = template.rendered([asked, answer, *follow])
                    if two in shown and thought not in shown:
                        start = "" if tag else codec.swap(opening)
                        end = codec.swap(f"{marker}\n\n")
                        return Reasoning(start, end, opened=bool(tag), kept=False)
    return None


def _opening(template: Template, marker: str) -> str:
    """The other marker of the same name: as the template spells it, or without the slash."""
    others = (other for other in _markers(template) if other != marker)
    bare = marker.replace("/", "") if "/" in marker else ""
    return next((other for other in others if _name(other) == _name(marker)), bare)


def _shown(codec: Codec, opener: str) -> Reasoning | None:
    """As the template shows it, empty and closed, in front of an answer without reasoning."""
    block = codec.swap(opener)
    markers = list(TAG.finditer(block))
    if len(markers) != 2 or _name(markers[0][0]) != _name(markers[1][0]):
        return None
    start, end = block[: markers[0].end()], block[markers[1].start() :]
    return Reasoning(codec.swap(start), codec.swap(end), opened=False, kept=False)


def _told(template: Template, codec: Codec) -> Reasoning | None:
    """As a system message of the template tells the model to write it.

    That is what it says only where reasoning is switched on, or in markers that are tokens.
    """
    message = [{"role": "user", "content": codec.slots[0]}]
    text = template.render(message).partition(codec.slots[0])[0]
    told = list(dict.fromkeys(TAG.findall(text)))
    added = template.tokenizer.added_tokens_decoder.values()
    markers = [one.content for one in added if not one.special and one.content in told]
    choices = [sorted(markers, key=told.index)]
    for switch in SWITCHES:
        with suppress(TemplateError):
            without = template.render_with({**template.arguments, switch: False}, message)
            known = set(TAG.findall(without))
            choices.append([one for one in told if one not in known])
    for pair in reversed(choices):
        if len(pair) >= 2 and _name(pair[0]) == _name(pair[1]):
            end = "".join(pair[1:3])  # of reasoning, and what opens the answer proper
            return Reasoning(codec.swap(pair[0]), codec.swap(end), opened=False, kept=False)
    return None


def _switched(template: Template, codec: Codec, prompt: str, tag: str) -> Reasoning | None:
    """As the generation prompt shows it, empty and closed, where reasoning is switched off."""
    one = codec.slots[0]
    for switch in SWITCHES:
        with suppress(TemplateError):
            arguments = {**template.arguments, switch: False}
            messages = [{"role": "user", "content": one}]
            text = codec.swap(template.render_with(arguments, messages, prompt=True))
            rest = text.partition(one)[2]
            if rest == prompt or not rest.startswith(prompt):
                continue
            block = codec.swap(rest.removeprefix(prompt))
            places = [match.start() for match in TAG.finditer(block)]
            if tag and places:
                return Reasoning("", codec.swap(block), opened=True, kept=False)
            if len(places) >= 2:
                start, end = block[: places[-1]].rstrip(), block[places[-1] :]
                return Reasoning(codec.swap(start), codec.swap(end), opened=False, kept=False)
    return None


def _markers(template: Template) -> Iterator[str]:
    """Markers that a template's text spells, those that look like an end first."""
    markers = list(dict.fromkeys(TAG.findall(template.text)))
    markers.sort(key=lambda marker: "/" not in marker and "end" not in marker.lower())
    yield from [one for one in markers if "tool" not in one.lower()][:CANDIDATES]


def _left_open(text: str) -> str:
    """The last marker of a text unless it closes another one; empty without."""
    markers = TAG.findall(text)
    if not markers or "/" in markers[-1][:3]:
        return ""
    closed = [marker for marker in markers[:-1] if _name(marker) == _name(markers[-1])]
    return "" if closed else str(markers[-1])


def _name(marker: str) -> str:
    """What a marker is called, whether it opens or closes."""
    letters = re.sub(r"[\W_]", " ", marker.lower()).split()
    return " ".join(word for word in letters if word not in ("begin", "end", "start", "of"))

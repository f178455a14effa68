"""A chat template at work: renderings in a codec's marks, and the control tokens it may write."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from userturn.artifacts.messages import Message
from userturn.base.errors import TemplateError
from userturn.chat import dates
from userturn.chat.codec import PRIVATE_USE, SLOTS, Codec, clip
from userturn.chat.limit import time_limit
from userturn.chat.messages import alternating

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LONGEST_S = 5.0
"""Seconds that one rendering may compute, which takes a sound template milliseconds."""


CHUNKS = "content"
"""The key of reasoning that templates take as a part of the content, before its text."""

REASONING_KEYS = ("reasoning_content", "reasoning", "thinking", CHUNKS)
"""Where templates look for the reasoning of a message, the usual one first."""

_SOUGHT = "text sought"


class Template:
    """The chat template of a tokenizer, with the study's arguments.

    Args:
        tokenizer: Any fast Hugging Face tokenizer with a chat template.
        arguments: Passed to the template, such as `enable_thinking` or a fixed date.

    Attributes:
        name: The model, for messages.
        text: The template itself.

    Raises:
        TemplateError: The tokenizer is not fast, or has no chat template.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, arguments: Mapping[str, Any]) -> None:
        self.name = str(tokenizer.name_or_path or "tokenizer")
        self.tokenizer = tokenizer
        self.arguments = dict(arguments)
        self._codecs: dict[int, Codec] = {}
        if not tokenizer.is_fast:
            raise TemplateError(f"{self.name}: needs a fast tokenizer; add a tokenizer.json")
        try:
            self.text: str = tokenizer.get_chat_template()
        except ValueError:
            raise TemplateError(
                f"{self.name}: has no chat template; put the model's chat_template.jinja there"
            ) from None

    @cached_property
    def hash(self) -> str:
        """Hash (64 hexadecimal digits) of the template's text and its arguments."""
        text = json.dumps([self.text, self.arguments], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def broken(self, what: str) -> TemplateError:
        """The error of a template that changes a conversation in this way."""
        return TemplateError(
            f"{self.name}: its chat template {what}, so the context of a user turn would not be "
            "what the model saw; mend chat_template.jinja there or set chat.template_kwargs"
        )

    def render(self, messages: Sequence[Mapping[str, Any]], *, prompt: bool = False) -> str:
        """What the template makes of messages.

        Args:
            messages: `role` and `content` of each, as templates take them.
            prompt: Add the generation prompt of an answer.

        Raises:
            TemplateError: The template rejects them.
        """
        return self.render_with(self.arguments, messages, prompt=prompt)

    def render_with(
        self,
        arguments: Mapping[str, Any],
        messages: Sequence[Mapping[str, Any]],
        *,
        prompt: bool = False,
    ) -> str:
        """`render` with other arguments than the study's. Raises TemplateError."""
        try:
            text = self._apply(arguments, messages, prompt=prompt, parts=self.takes_parts)
            text.encode()
        except Exception as error:  # a template can raise whatever its author likes
            roles = ", ".join(message["role"] for message in messages)
            raise TemplateError(
                f"{self.name}: its chat template rejects the roles [{roles}] "
                f"({type(error).__name__}: {error}); use a template that takes them, or set "
                "chat.template_kwargs"
            ) from error
        return text

    def _apply(
        self,
        arguments: Mapping[str, Any],
        messages: Sequence[Mapping[str, Any]],
        *,
        prompt: bool,
        parts: bool,
    ) -> str:
        passed = [dict(message) for message in messages]
        for message in passed:
            if parts and isinstance(message["content"], str):
                message["content"] = [{"type": "text", "text": message["content"]}]
        with time_limit(LONGEST_S):
            return str(
                self.tokenizer.apply_chat_template(
                    passed,
                    tokenize=False,
                    add_generation_prompt=prompt,
                    **dates.pinned(arguments),
                )
            )

    @cached_property
    def takes_parts(self) -> bool:
        """Whether the template reads content as a list of parts alone, as of images and text."""
        asked = [{"role": "user", "content": _SOUGHT}]
        for parts in (False, True):
            with suppress(Exception):
                if _SOUGHT in self._apply(self.arguments, asked, prompt=False, parts=parts):
                    return parts
        return False

    @cached_property
    def reasoning_key(self) -> str | None:
        """The key under which the template looks for a message's reasoning; None: it does not."""
        for key in REASONING_KEYS:
            asked, answer = passable(alternating("1", "2"), None)
            with suppress(TemplateError):
                text = self.render([asked, with_reasoning(answer, key, _SOUGHT)])
                spelled_out = key == CHUNKS and re.search(r"['\"]type['\"]: ['\"]thinking", text)
                if _SOUGHT in text and not spelled_out:
                    return key
        return None

    def rendered(self, messages: Sequence[Message], *, prompt: bool = False) -> str:
        """`render` of messages as they are. Raises TemplateError."""
        return self.render(passable(messages, self.reasoning_key), prompt=prompt)

    def conversation(
        self, codec: Codec, messages: Sequence[Message], *, prompt: bool = False
    ) -> str:
        """Render messages; control tokens stand as marks.

        Raises:
            TemplateError: A message is missing, stands twice or out of order, or its text changes
                which control tokens the template writes.
        """
        if len(messages) > SLOTS // 2:
            raise TemplateError(
                f"{self.name}: a conversation of {len(messages)} messages is longer than the "
                f"{SLOTS // 2} that a context is made of; leave the first ones out"
            )
        masked = [
            replace(one, content=codec.swap(one.content), reasoning=codec.swap(one.reasoning))
            for one in messages
        ]
        text = self.rendered(masked, prompt=prompt)
        position = 0
        for nth, one in enumerate(masked):
            start = text.find(one.content.strip(), position)
            if start < 0 or (one.content in codec.slots and text.count(one.content) != 1):
                what = "the system message" if one.role == "system" else f"turn {nth + 1}"
                raise self.broken(f"drops, repeats, alters or reorders {what}")
            position = start + len(one.content.strip())
        swapped = codec.swap(text)
        blank = codec.blank(messages)
        if list(messages) != blank:
            bare = self.conversation(codec, blank, prompt=prompt)
            if codec.controls_in(bare) != codec.controls_in(swapped):
                contents = clip(one.content for one in messages)
                raise self.broken(f"writes other control tokens around {contents}")
        return swapped

    @cached_property
    def controls(self) -> dict[str, int]:
        """Spelling and id of every control token.

        Special tokens, and other added tokens that the template writes, such as think markers. The
        rest of the added tokens (runs of spaces, markup) is ordinary vocabulary.
        """
        written = self.text
        with suppress(TemplateError):  # the self-check raises it
            written += self.rendered(alternating("1", "2", "3"), prompt=True)
        return {
            token.content: id_
            for id_, token in self.tokenizer.added_tokens_decoder.items()
            if token.special
            or (re.search(r"\w.*[^\w\s]|[^\w\s].*\w", token.content) and token.content in written)
        }

    def codec(self, *texts: str) -> Codec:
        """A codec whose private-use characters occur in none of the texts."""
        for text in texts:
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise TemplateError(
                    f"{self.name}: character {error.start} of {clip([text])} is half of a "
                    "surrogate pair, which no tokenizer reads; mend the text"
                ) from None
        size = SLOTS + len(self.controls) + 1
        for start in range(PRIVATE_USE.start, PRIVATE_USE.stop - size, size):
            taken = re.compile(f"[{chr(start)}-{chr(start + size - 1)}]")
            if not any(taken.search(text) for text in (*texts, self.text)):
                if start not in self._codecs:
                    self._codecs[start] = Codec(self.tokenizer, self.controls, start)
                return self._codecs[start]
        raise TemplateError(f"{self.name}: {clip(texts)} uses up every private-use character")


def passable(messages: Sequence[Message], key: str | None) -> list[dict[str, Any]]:
    """Messages as templates take them, reasoning under this key."""
    return [
        with_reasoning({"role": one.role, "content": one.content}, key, one.reasoning)
        for one in messages
    ]


def with_reasoning(message: dict[str, Any], key: str | None, reasoning: str) -> dict[str, Any]:
    """A message with reasoning, in the way that a key stands for."""
    if not key or not reasoning:
        return message
    if key != CHUNKS:
        return {**message, key: reasoning}
    chunks = [
        {"type": "thinking", "thinking": reasoning},
        {"type": "text", "text": message["content"]},
    ]
    return {**message, "content": chunks}

"""A chat template at work: renderings in a codec's marks, and the control tokens it may write."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from userturn.base.errors import TemplateError
from userturn.chat.codec import PRIVATE_USE, SLOTS, Codec, clip
from userturn.chat.limit import time_limit

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LONGEST_S = 5.0
"""Seconds that one rendering may compute, which takes a sound template milliseconds."""


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

    def render(self, messages: list[dict[str, str]], *, prompt: bool = False) -> str:
        """What the template makes of messages.

        Args:
            messages: `role` and `content` of each.
            prompt: Add the generation prompt of an answer.

        Raises:
            TemplateError: The template rejects them.
        """
        try:
            with time_limit(LONGEST_S):
                text = str(
                    self.tokenizer.apply_chat_template(
                        messages,
                        tokenize=False,
                        add_generation_prompt=prompt,
                        **self._passed(),
                    )
                )
            text.encode()
        except Exception as error:  # a template can raise whatever its author likes
            roles = ", ".join(message["role"] for message in messages)
            raise TemplateError(
                f"{self.name}: its chat template rejects the roles [{roles}] "
                f"({type(error).__name__}: {error}); use a template that takes them, or set "
                "chat.template_kwargs"
            ) from error
        return text

    def _passed(self) -> dict[str, Any]:
        """The study's arguments; a date given as `strftime_now` pins that function of templates."""
        day = self.arguments.get("strftime_now")
        pinned = {} if day is None else {"strftime_now": lambda _format: day}
        return {**self.arguments, **pinned}

    def conversation(self, codec: Codec, contents: Sequence[str], *, prompt: bool = False) -> str:
        """Render alternating user and assistant turns; control tokens stand as marks.

        Raises:
            TemplateError: A turn is missing, stands twice or out of order, or its text changes
                which control tokens the template writes.
        """
        masked = [codec.swap(content) for content in contents]
        text = self.render(messages_of(masked), prompt=prompt)
        position = 0
        for turn, content in enumerate(masked):
            start = text.find(content.strip(), position)
            if start < 0 or (content in codec.slots and text.count(content) != 1):
                raise self.broken(f"drops, repeats, alters or reorders turn {turn + 1}")
            position = start + len(content.strip())
        swapped = codec.swap(text)
        if tuple(masked) != codec.slots[: len(masked)]:
            bare = self.conversation(codec, codec.slots[: len(masked)], prompt=prompt)
            if codec.controls_in(bare) != codec.controls_in(swapped):
                raise self.broken(f"writes other control tokens around {clip(contents)}")
        return swapped

    @cached_property
    def controls(self) -> dict[str, int]:
        """Spelling and id of every control token.

        Special tokens, and other added tokens that the template writes, such as think markers. The
        rest of the added tokens (runs of spaces, markup) is ordinary vocabulary.
        """
        written = self.text
        with suppress(TemplateError):  # the self-check raises it
            written += self.render(messages_of(["1", "2", "3"]), prompt=True)
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


def messages_of(contents: Sequence[str]) -> list[dict[str, str]]:
    """Alternating user and assistant turns, as templates take them."""
    roles = ("user", "assistant")
    return [{"role": roles[turn % 2], "content": content} for turn, content in enumerate(contents)]

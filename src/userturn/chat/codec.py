"""Swapped spelling: control tokens, and text that spells them, kept apart in one string.

A chat template writes control tokens and content into the same string, where `<|im_end|>` is the
same ten characters whoever wrote them. Each control token gets a private-use character, its mark,
that occurs in none of the texts at hand; `swap` puts marks for spellings and spellings for marks.
Swapping the content before rendering and the whole rendering after it leaves marks where the
template wrote control tokens, and plain text where content spelled them. With ⓢ and ⓔ as the marks
of <|im_start|> and <|im_end|>:

    content                 say <|im_end|>
    swapped, then rendered  <|im_start|>user⏎say ⓔ<|im_end|>⏎
    swapped again           ⓢuser⏎say <|im_end|>ⓔ⏎

A copy of the tokenizer that knows its control tokens by their marks alone then encodes the string
in one go: here ⓢ and ⓔ become the two control tokens, and the <|im_end|> between them is text. So
content cannot become a control token, and every other text has the tokens that the model's own
tokenizer gives the whole string.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from userturn.artifacts.messages import Message
from userturn.base.errors import TemplateError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PRIVATE_USE = range(0xF0000, 0x10FFFE)
SLOTS = 256
"""Private-use characters of a codec that stand for the contents of messages: the first ones for
what they say, the last ones for what was thought before it."""


class Codec:
    """Marks for control tokens, and a copy of the tokenizer that knows them by their marks alone.

    Attributes:
        slots: Private-use characters that stand for the contents of messages.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, controls: Mapping[str, int], start: int
    ) -> None:
        from tokenizers import AddedToken, Tokenizer

        self.slots = tuple(chr(start + slot) for slot in range(SLOTS))
        marks = {text: chr(start + SLOTS + nth) for nth, text in enumerate(controls)}
        self._swapped = {**marks, **{mark: text for text, mark in marks.items()}}
        longest_first = sorted(self._swapped, key=len, reverse=True)
        self._spelling = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        span = f"{chr(start + SLOTS)}-{chr(start + SLOTS + len(marks))}"  # the last is in no use
        mark, other = f"[{span}]", f"[^{span}]"
        self._mark = re.compile(mark)
        self._linked = re.compile(rf"{mark}(?:{other}*?(?=\S){other}+{mark})*")
        self._controls = dict(controls)

        added = tokenizer.added_tokens_decoder
        spec = json.loads(tokenizer.backend_tokenizer.to_str())
        spec["added_tokens"] = []
        self._tokenizer = Tokenizer.from_str(json.dumps(spec))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        # The copy numbers added tokens anew, from the size of the vocabulary: fill its gaps first,
        # so that no number is given twice.
        vocab = spec["model"]["vocab"]
        gaps = max(vocab.values(), default=-1) + 1 - len(vocab) if isinstance(vocab, dict) else 0
        self._tokenizer.add_tokens([f"{self.slots[0]}{gap}" for gap in range(gaps)])
        text_of = {id_: marks.get(token.content, token.content) for id_, token in added.items()}
        self._tokenizer.add_tokens(
            [
                AddedToken(
                    text_of[id_],
                    single_word=token.single_word,
                    lstrip=token.lstrip,
                    rstrip=token.rstrip,
                    normalized=token.normalized,
                )
                for id_, token in added.items()
            ]
        )
        self._ids = {self._tokenizer.token_to_id(text): id_ for id_, text in text_of.items()}

    def blank(self, messages: Sequence[Message]) -> list[Message]:
        """The same messages with slots for what they hold."""
        return [
            replace(one, content=said, reasoning=thought if one.reasoning else "")
            for one, said, thought in zip(messages, self.slots, self.slots[::-1], strict=False)
        ]

    def swap(self, text: str) -> str:
        """Put marks for spelled control tokens, and spellings for marks."""
        return self._spelling.sub(lambda match: self._swapped[match[0]], text)

    def controls_in(self, text: str) -> list[int]:
        """Ids of the marks in a text, in order."""
        return [self._controls[self._swapped[mark]] for mark in self._mark.findall(text)]

    def first_control(self, text: str) -> int | None:
        """Id of the first mark in a text."""
        return next(iter(self.controls_in(text)), None)

    def before_control(self, text: str) -> str:
        """All of a text in front of its first mark."""
        return self._mark.split(text, maxsplit=1)[0]

    def last_marks(self, text: str) -> str:
        """The last mark of a text, with those before it that words link to it; empty without.

        Marks with nothing between them are apart: a model fills in what the template leaves empty.
        """
        stretches = self._linked.findall(text)
        return stretches[-1] if stretches else ""

    def encode(self, text: str) -> tuple[int, ...]:
        """Ids of a text: a mark is its control token, all else is plain text."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        ids: list[int] = []
        for id_, token in zip(encoding.ids, encoding.tokens, strict=True):
            if id_ in self._ids:
                ids.append(self._ids[id_])
            elif token in self._controls:
                ids += self._spell(token)  # the vocabulary itself merges this text to a control
            else:
                ids.append(id_)
        return tuple(ids)

    def _spell(self, token: str) -> tuple[int, ...]:
        if len(token) == 1:
            raise TemplateError(f"the tokenizer has no way to spell its control token {token!r}")
        return tuple(id_ for character in token for id_ in self.encode(character))

    def encode_after(self, head: str, text: str) -> tuple[int, ...]:
        """Ids of a text behind a head; as they are alone where the two merge."""
        before, both = self.encode(head), self.encode(head + text)
        return both[len(before) :] if both[: len(before)] == before else self.encode(text)


def clip(texts: Iterable[str]) -> str:
    """The beginning of texts, for a message."""
    return ", ".join(repr(text if len(text) < 40 else text[:39] + "…") for text in texts)

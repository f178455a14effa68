"""Roles: a conversation as the exact token ids a model is given, and the tokens that end a turn.

Everything is derived from the tokenizer and its chat template; nothing here knows a model family.
Two ideas carry the module.

**Slots.** A conversation is rendered with a private-use character as the content of one message and
cut at it: what stands left of the slot is the context, what stands between two slots is how the
template closes one turn and opens the next.

**Swapped spelling.** Control tokens and the text that spells them must not be confused, though a
chat template mixes both in one string. Each control token gets a private-use character, its mark,
that occurs in none of the texts at hand. Spellings inside content are swapped for marks before
rendering; after it, one more swap of the whole string leaves marks where the template wrote control
tokens, and plain text where content spelled them. A copy of the tokenizer that knows its control
tokens by their marks alone then encodes the string in one go. So content cannot become a control
token, and every other text has the tokens that the model's own tokenizer gives the whole string.

A context ends with the tokens of the header as they stand alone. They are a prefix of the complete
conversation's tokens unless the user turn begins with whitespace that merges with a newline at the
header's end (1 of 2,820 prompts of MT-Bench, Arena-Hard, GSM8K, IFBench and IFEval, under
SmolLM2's tokenizer); `Chat.self_check` refuses headers that merge with ordinary text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from userturn.base.errors import TemplateError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from userturn.study import models

Mode = Literal["history", "live"]
"""`history`: as a real three-message conversation renders. `live`: what answer generation saw, the
answer, then the template's way from an answer to a user turn."""

ROLES = ("user", "assistant", "system", "developer", "tool")
"""Roles whose headers are looked for; a template need only know the first two."""

PRIVATE_USE = range(0xF0000, 0x10FFFE)
SLOTS = 3

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


@dataclass(frozen=True, slots=True)
class StopSet:
    """Tokens that end a turn.

    Attributes:
        ids: Ascending.
        reasons: Why each is in.
        names: How each is spelled.
    """

    ids: tuple[int, ...]
    reasons: dict[int, str]
    names: dict[int, str]


class Chat:
    """A tokenizer with its chat template: conversations in, token ids out.

    Args:
        tokenizer: Any fast Hugging Face tokenizer with a chat template.
        template_kwargs: Passed to the template, such as `enable_thinking` or a fixed date.
        extra_stop: Spelling of more special tokens that end a user turn.
        strip_suffixes: Control words that models write after a user turn, for `strip`.
        eos_ids: End-of-sequence ids beside the tokenizer's own (`generation_config.json`).
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        template_kwargs: Mapping[str, Any],
        extra_stop: Sequence[str] = (),
        strip_suffixes: Sequence[str] = (),
        eos_ids: Sequence[int] = (),
    ) -> None:
        self.name = str(tokenizer.name_or_path or "tokenizer")
        self._tokenizer = tokenizer
        self._template_kwargs = dict(template_kwargs)
        self._extra_stop = tuple(extra_stop)
        self._strip_suffixes = tuple(strip_suffixes)
        self._eos_ids = tuple(eos_ids)
        self._codecs: dict[int, _Codec] = {}
        if not tokenizer.is_fast:
            raise TemplateError(f"{self.name}: needs a fast tokenizer; add a tokenizer.json")
        try:
            self._template: str = tokenizer.get_chat_template()
        except ValueError:
            raise TemplateError(
                f"{self.name}: has no chat template; put the model's chat_template.jinja there"
            ) from None

    @classmethod
    def load(cls, model_dir: Path, params: models.Chat) -> Chat:
        """Read the tokenizer, template and end-of-sequence ids of a local model directory.

        Raises:
            TemplateError: The directory holds no usable tokenizer or no chat template.
        """
        from transformers import AutoTokenizer

        if not model_dir.is_dir():
            raise TemplateError(f"{model_dir}: is not a directory; run `dvc repro` to fetch it")
        try:
            tokenizer = AutoTokenizer.from_pretrained(str(model_dir), local_files_only=True)
        except Exception as error:  # a broken tokenizer.json raises a bare Exception
            raise TemplateError(
                f"{model_dir}: its tokenizer cannot be loaded ({error}); fetch the model again"
            ) from error
        return cls(
            tokenizer,
            params.template_kwargs,
            params.extra_stop,
            params.strip_suffixes,
            _generation_eos(model_dir / "generation_config.json"),
        )

    # --- contexts -----------------------------------------------------------------------------

    def answer_context(self, query: str) -> tuple[int, ...]:
        """Ids in front of an answer: the query as a user turn, then the generation prompt.

        Raises:
            TemplateError: The template rejects, drops or alters the query.
        """
        codec = self._codec(query)
        return codec.encode(self._conversation(codec, [query], prompt=True))

    def reply_context(self, query: str) -> tuple[int, ...]:
        """`answer_context`, and what the template puts between it and an answer's content.

        Behind it a model writes content at once, without reasoning, as constrained decoding needs.

        Raises:
            TemplateError: The template rejects, drops or alters the query.
        """
        codec = self._codec(query)
        layout = self._layout(codec)
        return (*self.answer_context(query), *codec.encode_after(layout.prompt, layout.opener))

    def user_context(self, query: str, answer: str, mode: Mode) -> tuple[int, ...]:
        """Ids in front of a user turn that follows an answer; the last ones are the user header.

        Args:
            query: The first user turn.
            answer: The assistant's turn as a conversation keeps it, see `answer_text`.
            mode: See `Mode`. `live` begins with exactly the ids of `answer_context(query)`.

        Raises:
            TemplateError: The template rejects, drops or alters a turn.
        """
        return self._context(query, answer, mode, "user")

    def assistant_context(self, query: str, answer: str, mode: Mode) -> tuple[int, ...]:
        """`user_context` with the assistant's header where the user's stands, for role voice.

        The header is taken from an assistant turn that follows a user turn, since templates reject
        two assistant turns in a row.
        """
        return self._context(query, answer, mode, "assistant")

    def _context(self, query: str, answer: str, mode: Mode, role: str) -> tuple[int, ...]:
        codec = self._codec(query, answer)
        layout = self._layout(codec)
        header, other = layout.headers["user"], layout.headers[role]
        if mode == "history":
            text = self._conversation(codec, [query, answer, codec.slots[2]])
            left = text.partition(codec.slots[2])[0]
            if not left.endswith(header):
                raise self._broken(f"opens another user turn behind {_clip([query, answer])}")
            return codec.encode(left.removesuffix(header) + other)
        return (
            *self.answer_context(query),
            *codec.encode_after(layout.prompt, layout.opener),
            *codec.encode_after(layout.headers["assistant"], answer),
            *codec.encode(layout.tail.removesuffix(header) + other),
        )

    # --- text and ids -------------------------------------------------------------------------

    def encode_content(self, text: str) -> tuple[int, ...]:
        """Ids that a text has inside a user turn, right behind the header; never control tokens."""
        codec = self._codec(text)
        return codec.encode_after(self._layout(codec).headers["user"], text)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, special tokens spelled out, spaces as they are."""
        return str(
            self._tokenizer.decode(
                list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        )

    def answer_text(self, ids: Sequence[int]) -> str:
        """What a conversation keeps of a generated answer: its content, without its reasoning.

        Where the template puts control tokens between the generation prompt and an answer's content
        (the end of a think block, the opening of a final channel), the answer begins behind their
        last occurrence, and is empty if the model never got there. Elsewhere it is all of `ids`.
        """
        codec = self._codec()
        opener = self._layout(codec).opener
        marked = codec.last_marks(opener)
        if not marked:
            return self.decode(ids)
        sought, given = codec.encode(marked), tuple(ids)
        ends = range(len(given), len(sought) - 1, -1)
        found = (end for end in ends if given[end - len(sought) : end] == sought)
        if (start := next(found, None)) is None:
            return ""
        return self.decode(given[start:]).removeprefix(opener.rpartition(marked)[2])

    def strip(self, text: str) -> tuple[str, bool]:
        """Cut control words off the end of a user turn; say whether there were any."""
        kept, words = text, [word for word in self._strip_suffixes if word]
        while word := next((word for word in words if kept.rstrip().endswith(word)), ""):
            kept = kept.rstrip().removesuffix(word)
        return kept, kept != text

    # --- ends ---------------------------------------------------------------------------------

    @cached_property
    def user_stop(self) -> StopSet:
        """Ends of a user turn: the template's end, every role header, EOS, `extra_stop`.

        Raises:
            TemplateError: A stop is not one special token, or there is none.
        """
        codec = self._codec()
        layout = self._layout(codec)
        after = layout.after_user
        for suffix in map(codec.swap, self._strip_suffixes):
            after = after.removeprefix(suffix)
        return self._stop_set(
            [
                (codec.first_control(after), "ends a user turn in the template"),
                *((id_, _opens(roles)) for id_, roles in self._openers.items()),
                *((self._special(text), "extra_stop") for text in self._extra_stop),
            ]
        )

    @cached_property
    def answer_stop(self) -> StopSet:
        """Ends of an answer: the template's end of a last turn, EOS, headers of other roles.

        A header token that also opens an assistant turn is no stop: an assistant may write several
        messages (reasoning, then the answer) before its turn is over.
        """
        codec = self._codec()
        layout = self._layout(codec)
        return self._stop_set(
            [
                (
                    codec.first_control(layout.after_answer + layout.tail),
                    "ends an answer in the template",
                ),
                *(
                    (id_, _opens(roles))
                    for id_, roles in self._openers.items()
                    if "assistant" not in roles
                ),
            ]
        )

    @cached_property
    def header_ids(self) -> frozenset[int]:
        """The control tokens that open turns, one for each role at most."""
        return frozenset(self._openers)

    @cached_property
    def _openers(self) -> dict[int, list[str]]:
        """Control tokens that open turns, each with its roles."""
        codec = self._codec()
        roles: dict[int, list[str]] = {}
        for role, text in self._layout(codec).headers.items():
            if (id_ := codec.first_control(text)) is not None:
                roles.setdefault(id_, []).append(role)
        return roles

    def _special(self, text: str) -> int:
        if text not in self._controls:
            raise TemplateError(
                f"{self.name}: {text!r} in `extra_stop` is not one special token of the tokenizer; "
                f"it has {', '.join(list(self._controls)[:20])}"
            )
        return self._controls[text]

    def _stop_set(self, found: Iterable[tuple[int | None, str]]) -> StopSet:
        """End-of-sequence ids and what was found in the template; None stands for nothing found."""
        eos = [(id_, "eos") for id_ in (self._tokenizer.eos_token_id, *self._eos_ids)]
        names = {id_: text for text, id_ in self._controls.items()}
        reasons: dict[int, list[str]] = {}
        for id_, reason in (*eos, *found):
            if id_ is None:
                continue
            if id_ not in names:
                raise TemplateError(
                    f"{self.name}: token {id_} ({reason}) would end turns but is not a special "
                    "token; mend eos_token or generation_config.json there"
                )
            if reason not in reasons.setdefault(id_, []):
                reasons[id_].append(reason)
        if not reasons:
            raise TemplateError(
                f"{self.name}: neither template nor tokenizer has a token that ends a turn; "
                "set eos_token in tokenizer_config.json"
            )
        ids = tuple(sorted(reasons))
        return StopSet(
            ids, {id_: "; ".join(reasons[id_]) for id_ in ids}, {id_: names[id_] for id_ in ids}
        )

    # --- checks and identity ------------------------------------------------------------------

    @cached_property
    def template_hash(self) -> str:
        """Hash (64 hexadecimal digits) of the template's text and its arguments."""
        text = json.dumps([self._template, self._template_kwargs], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def control_ids(self) -> frozenset[int]:
        """Ids that content never has: special tokens, and added tokens that the template writes."""
        return frozenset(self._controls.values())

    def self_check(self) -> None:
        """Refuse a template that does not carry a conversation as it is.

        Raises:
            TemplateError: The template rejects the roles; drops, repeats, reorders, merges or
                alters turns (whitespace around them aside); does not tell user from assistant;
                writes no generation prompt; or its user header merges with the text behind it.
        """
        codec = self._codec(*PROBES, *OPENINGS)
        layout = self._layout(codec)
        for first, then, text in (
            ("query", "answer", layout.before_answer),
            ("answer", "user turn", layout.tail),
        ):
            if not text.strip():
                raise self._broken(f"merges the {then} into the {first}")
        if layout.headers["user"] == layout.headers["assistant"]:
            raise self._broken("opens user and assistant turns in the same way")
        unprompted = self._conversation(codec, codec.slots[:1])
        header = layout.headers["assistant"]
        if not layout.prompt.removeprefix(unprompted.partition(codec.slots[0])[2]).strip() and (
            codec.first_control(header) is not None
        ):
            raise self._broken("ignores add_generation_prompt")
        # The rendering may differ from that of bare slots by whitespace around the contents alone.
        bare = self._conversation(codec, codec.slots)
        pieces = re.split("([" + "".join(codec.slots) + "])", bare)
        contents = dict(zip(codec.slots, PROBES, strict=True))
        pattern = "".join(
            rf"\s*{re.escape(contents[piece].strip())}\s*" if piece in contents
            else re.escape(piece)
            for piece in pieces
        )  # fmt: skip
        if not re.fullmatch(pattern, self._conversation(codec, PROBES)):
            raise self._broken("alters the text of turns")
        left = bare.partition(codec.slots[2])[0]
        header_ids = codec.encode(left)
        for opening in OPENINGS:
            if codec.encode(left + opening)[: len(header_ids)] != header_ids:
                raise self._broken(f"ends the user header so that it merges with {opening!r}")
        _ = self.user_stop, self.answer_stop

    def _broken(self, what: str) -> TemplateError:
        return TemplateError(
            f"{self.name}: its chat template {what}, so the context of a user turn would not be "
            "what the model saw; mend chat_template.jinja there or set chat.template_kwargs"
        )

    # --- rendering ----------------------------------------------------------------------------

    def _render(self, messages: list[dict[str, str]], *, prompt: bool = False) -> str:
        try:
            return str(
                self._tokenizer.apply_chat_template(
                    messages,
                    tokenize=False,
                    add_generation_prompt=prompt,
                    **self._template_arguments(),
                )
            )
        except Exception as error:  # a template can raise whatever its author likes
            roles = ", ".join(message["role"] for message in messages)
            raise TemplateError(
                f"{self.name}: its chat template rejects the roles [{roles}] "
                f"({type(error).__name__}: {error}); use a template that takes them, or set "
                "chat.template_kwargs"
            ) from error

    def _template_arguments(self) -> dict[str, Any]:
        """The study's arguments; a date given as `strftime_now` pins that function of templates."""
        day = self._template_kwargs.get("strftime_now")
        pinned = {} if day is None else {"strftime_now": lambda _format: day}
        return {**self._template_kwargs, **pinned}

    def _conversation(self, codec: _Codec, contents: Sequence[str], *, prompt: bool = False) -> str:
        """Render alternating user and assistant turns; control tokens stand as marks.

        Raises:
            TemplateError: A turn is missing, stands twice or out of order, or its text changes
                which control tokens the template writes.
        """
        masked = [codec.swap(content) for content in contents]
        text = self._render(_messages(masked), prompt=prompt)
        position = 0
        for turn, content in enumerate(masked):
            found = text.find(content.strip(), position)
            if found < 0 or (content in codec.slots and text.count(content) != 1):
                raise self._broken(f"drops, repeats, alters or reorders turn {turn + 1}")
            position = found + len(content.strip())
        swapped = codec.swap(text)
        if tuple(masked) != codec.slots[: len(masked)]:
            bare = self._conversation(codec, codec.slots[: len(masked)], prompt=prompt)
            if codec.controls_in(bare) != codec.controls_in(swapped):
                raise self._broken(f"writes other control tokens around {_clip(contents)}")
        return swapped

    def _layout(self, codec: _Codec) -> _Layout:
        """What the template writes around turns, in the codec's marks."""
        if codec.layout is None:
            codec.layout = self._find_layout(codec)
        return codec.layout

    def _find_layout(self, codec: _Codec) -> _Layout:
        one, two, three = codec.slots
        prompted = self._conversation(codec, [one], prompt=True)
        answered = self._conversation(codec, [one, two])
        asked = self._conversation(codec, [one, two, three], prompt=True)
        before_answer = _between(answered, one, two)
        prompt = prompted.partition(one)[2]
        headers = {
            role: text
            for role in ROLES
            if (text := self._find_header(codec, role)) is not None
        }  # fmt: skip
        if not headers.get("user") or "assistant" not in headers:
            raise self._broken("does not show where a turn's header begins")
        tail = _between(asked, two, three)
        if not tail.endswith(headers["user"]):
            raise self._broken("opens a user turn differently behind an answer")
        return _Layout(
            prompt=prompt,
            before_answer=before_answer,
            opener=before_answer.removeprefix(prompt) if before_answer.startswith(prompt) else "",
            after_answer=answered.partition(two)[2],
            tail=tail,
            after_user=asked.partition(three)[2],
            headers=headers,
        )

    def _find_header(self, codec: _Codec, role: str) -> str | None:
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
        found = None
        for start in starts if role == "assistant" else reversed(starts):
            with suppress(TemplateError):  # not every template takes every order of roles
                closing = codec.swap(self._render(start)).partition(before)[2]
                text = codec.swap(self._render([*start, {"role": role, "content": slot}]))
                between = _between(text, before, slot)
                if between and between.startswith(closing):
                    found = found or between.removeprefix(closing)
        return found

    # --- control tokens -----------------------------------------------------------------------

    @cached_property
    def _controls(self) -> dict[str, int]:
        """Spelling and id of every control token.

        Special tokens, and other added tokens that the template writes, such as think markers. The
        rest of the added tokens (runs of spaces, markup) is ordinary vocabulary.
        """
        written = self._template
        with suppress(TemplateError):  # `self_check` raises it
            written += self._render(_messages(["1", "2", "3"]), prompt=True)
        return {
            token.content: id_
            for id_, token in self._tokenizer.added_tokens_decoder.items()
            if token.special
            or (re.search(r"\w.*[^\w\s]|[^\w\s].*\w", token.content) and token.content in written)
        }

    def _codec(self, *texts: str) -> _Codec:
        """A codec whose private-use characters occur in none of the texts."""
        for text in texts:
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise TemplateError(
                    f"{self.name}: character {error.start} of {_clip([text])} is half of a "
                    "surrogate pair, which no tokenizer reads; mend the text"
                ) from None
        size = SLOTS + len(self._controls) + 1
        for start in range(PRIVATE_USE.start, PRIVATE_USE.stop - size, size):
            taken = re.compile(f"[{chr(start)}-{chr(start + size - 1)}]")
            if not any(taken.search(text) for text in (*texts, self._template)):
                if start not in self._codecs:
                    self._codecs[start] = _Codec(self._tokenizer, self._controls, start)
                return self._codecs[start]
        raise TemplateError(f"{self.name}: {_clip(texts)} uses up every private-use character")


@dataclass(frozen=True, slots=True)
class _Layout:
    """What a template writes around turns, control tokens as marks."""

    prompt: str  # behind a query, up to where the answer is generated
    before_answer: str  # behind a query, up to the content of an answer
    opener: str  # from the generation prompt's end to the content of an answer
    after_answer: str  # behind an answer that nothing follows
    tail: str  # behind an answer, up to the content of the user turn
    after_user: str  # behind that user turn, generation prompt included
    headers: dict[str, str]  # by role: what opens a turn


class _Codec:
    """Marks for control tokens, and a copy of the tokenizer that knows them by their marks alone.

    Attributes:
        slots: Private-use characters that stand for the contents of turns.
        layout: Place of `Chat._layout` for texts in these marks.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, controls: Mapping[str, int], start: int
    ) -> None:
        from tokenizers import AddedToken, Tokenizer

        self.layout: _Layout | None = None
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

    def swap(self, text: str) -> str:
        """Put marks for spelled control tokens, and spellings for marks."""
        return self._spelling.sub(lambda match: self._swapped[match[0]], text)

    def controls_in(self, text: str) -> list[int]:
        """Ids of the marks in a text, in order."""
        return [self._controls[self._swapped[mark]] for mark in self._mark.findall(text)]

    def first_control(self, text: str) -> int | None:
        """Id of the first mark in a text."""
        return next(iter(self.controls_in(text)), None)

    def last_marks(self, text: str) -> str:
        """The last mark of a text, with those before it that words link to it; empty without.

        Marks with nothing between them are apart: a model fills in what the template leaves empty.
        """
        found = self._linked.findall(text)
        return found[-1] if found else ""

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


def _messages(contents: Sequence[str]) -> list[dict[str, str]]:
    return [{"role": ROLES[turn % 2], "content": content} for turn, content in enumerate(contents)]


def _opens(roles: Iterable[str]) -> str:
    return f"opens a turn: {', '.join(roles)}"


def _between(text: str, left: str, right: str) -> str:
    """What stands between two slots; empty unless both are there in this order."""
    between, found, _ = text.partition(left)[2].partition(right)
    return between if found else ""


def _clip(texts: Iterable[str]) -> str:
    """The beginning of texts, for a message."""
    return ", ".join(repr(text if len(text) < 40 else text[:39] + "…") for text in texts)


def _generation_eos(path: Path) -> tuple[int, ...]:
    """End-of-sequence ids of a `generation_config.json`; none where there is no file."""
    if not path.exists():
        return ()
    try:
        found = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id")
    except (OSError, ValueError, AttributeError) as error:
        raise TemplateError(f"{path}: is not a JSON object ({error}); fetch it again") from None
    return tuple(found) if isinstance(found, list) else () if found is None else (int(found),)

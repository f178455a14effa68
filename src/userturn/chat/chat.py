"""Roles: a conversation as the exact token ids a model is given, and what ends a turn.

Everything is derived from the tokenizer and its chat template; nothing here knows a model family.
`codec` keeps control tokens apart from text that spells them; `layout` reads off the template what
it writes around turns: `headers` what opens and closes them, `reasoning` what a model may write in
front of an answer. With them a ChatML model that was asked `Q` and answered `A` is given, in front
of its user turn (⏎ is a newline, and one token):

    <|im_start|>user⏎Q<|im_end|>⏎<|im_start|>assistant⏎A<|im_end|>⏎<|im_start|>user⏎

That is the three-message conversation [user Q, assistant A, user SLOT], cut at the slot. In front
of the answer it was given [user Q] and the generation prompt, which ends in `assistant⏎`. In place
of Q stand as many messages as there are, a system message first if there is one. Where a template
shows a finished answer otherwise than it was generated, say without its reasoning, the mode `live`
puts the generated ids behind what the model saw, and `history` renders the conversation anew.

A context ends with the tokens of the header as they stand alone, less spaces at its end. They are a
prefix of the complete conversation's tokens unless the user turn begins with whitespace that merges
with a newline at the header's end (1 of 2,820 prompts of MT-Bench, Arena-Hard, GSM8K, IFBench and
IFEval, under SmolLM2's tokenizer); `Chat.self_check` refuses headers that merge with ordinary text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from userturn.artifacts.messages import Message, Query, messages_of
from userturn.base.errors import EngineError, TemplateError
from userturn.chat import answers, check, stops
from userturn.chat.codec import Codec, clip
from userturn.chat.layout import Layout, cut, read
from userturn.chat.messages import alternating, texts_of
from userturn.chat.stops import StopSet
from userturn.chat.template import Template
from userturn.engines import folder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from userturn.study import models

Mode = Literal["history", "live"]
"""`history`: as the template renders the whole conversation anew, which is what a deployed server
feeds when the user writes. `live`: what answer generation saw, the generated ids, then the
template's way from an answer to a user turn, without rendering anything again."""


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
        self._template = Template(tokenizer, template_kwargs)
        self._layouts: dict[Codec, Layout] = {}
        self._extra_stop = tuple(extra_stop)
        self._strip_suffixes = tuple(strip_suffixes)
        self._eos_ids = tuple(eos_ids)

    @property
    def name(self) -> str:
        """The model, for messages."""
        return self._template.name

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
            eos_ids = sorted(folder.generation_eos_ids(model_dir))
            tokenizer = AutoTokenizer.from_pretrained(
                str(model_dir), local_files_only=True, trust_remote_code=False
            )
        except EngineError as error:
            raise TemplateError(str(error)) from None
        except Exception as error:  # a broken tokenizer.json raises a bare Exception
            reason = folder.why(error, model_dir)
            raise TemplateError(
                f"{model_dir}: its tokenizer cannot be loaded ({reason}); fetch the model again"
            ) from error
        tokenizer.chat_template = params.template or tokenizer.chat_template
        return cls(
            tokenizer,
            params.template_kwargs,
            params.extra_stop,
            params.strip_suffixes,
            eos_ids,
        )

    # --- contexts -----------------------------------------------------------------------------

    def answer_context(self, query: Query) -> tuple[int, ...]:
        """Ids in front of an answer: the query, then the generation prompt.

        Args:
            query: One user turn, or messages that end in a user turn.

        Raises:
            TemplateError: The template rejects, drops or alters the query.
        """
        messages = messages_of(query)
        codec = self._template.codec(*texts_of(messages))
        return codec.encode(self._template.conversation(codec, messages, prompt=True))

    def reply_context(self, query: Query) -> tuple[int, ...]:
        """`answer_context`, and what the template puts between it and an answer's content.

        Behind it a model writes content at once, without reasoning, as constrained decoding needs.

        Raises:
            TemplateError: The template rejects, drops or alters the query.
        """
        layout = self._layout(*texts_of(messages_of(query)))
        opener = layout.codec.encode_after(layout.prompt, cut(layout.opener))
        return (*self.answer_context(query), *opener)

    def first_context(self) -> tuple[int, ...]:
        """Ids in front of the first user turn of a conversation, system turn and all.

        Raises:
            TemplateError: The template alters a single turn.
        """
        layout = self._layout()
        first = layout.codec.slots[0]
        text = self._template.conversation(layout.codec, alternating(first)).partition(first)[0]
        return layout.codec.encode(cut(text or layout.headers["user"]))

    def user_context(
        self,
        query: Query,
        answer: str,
        mode: Mode,
        *,
        reasoning: str = "",
        generated: Sequence[int] | None = None,
    ) -> tuple[int, ...]:
        """Ids in front of a user turn that follows an answer; the last ones are the user header.

        Args:
            query: One user turn, or messages that end in a user turn.
            answer: The assistant's turn as a conversation keeps it, see `answer_text`.
            mode: See `Mode`. `live` begins with exactly the ids of `answer_context(query)`.
            reasoning: What the model thought before the answer, see `reasoning_text`; `history`
                shows it where the template does.
            generated: The answer as it was generated, its end left out; `live` shows these ids in
                place of `answer`. Without them it shows the answer as if it came without reasoning.

        Raises:
            TemplateError: The template rejects, drops or alters a turn.
        """
        messages = (*messages_of(query), Message("assistant", answer, reasoning))
        layout = self._layout(*texts_of(messages))
        if mode == "live":
            return self._live(layout, messages, generated, layout.tail)
        return self._history(layout, messages, layout.headers["user"], layout.headers["user"])

    def assistant_context(
        self,
        query: Query,
        answer: str,
        mode: Mode,
        *,
        reasoning: str = "",
        generated: Sequence[int] | None = None,
    ) -> tuple[int, ...]:
        """`user_context` with the assistant's header where the user's stands, for role voice.

        The header is that of the generation prompt, with all that stands between it and an
        answer's content.

        Raises:
            TemplateError: As `user_context`; or no header of the template opens an answer, see
                `role_voice`.
        """
        messages = (*messages_of(query), Message("assistant", answer, reasoning))
        layout = self._layout(*texts_of(messages))
        if layout.another is None:
            raise TemplateError(
                f"{self.name}: no header opens an answer in its chat template, so role voice "
                "cannot be measured with it; name another model as ground.scorer"
            )
        if mode == "live":
            return self._live(layout, messages, generated, layout.another)
        return self._history(layout, messages, layout.tail, layout.another)

    @property
    def role_voice(self) -> bool:
        """Whether a header opens answers, which `assistant_context` needs. Raises TemplateError."""
        return self._layout().another is not None

    def _history(
        self, layout: Layout, messages: tuple[Message, ...], ending: str, instead: str
    ) -> tuple[int, ...]:
        """Ids up to a slot behind messages, with another ending than the template's own."""
        codec = layout.codec
        slot = codec.slots[len(messages)]
        text = self._template.conversation(codec, (*messages, Message("user", slot)))
        left = text.partition(slot)[0]
        if not left.endswith(ending):
            behind = clip(one.content for one in messages)
            raise self._template.broken(f"opens another user turn behind {behind}")
        return codec.encode(cut(left.removesuffix(ending) + instead))

    def _live(
        self,
        layout: Layout,
        messages: tuple[Message, ...],
        generated: Sequence[int] | None,
        ending: str,
    ) -> tuple[int, ...]:
        """Ids of what answer generation saw, of the answer, and of the template's way on."""
        codec = layout.codec
        answer = tuple(generated or ()) if generated is not None else (
            *codec.encode_after(layout.prompt, layout.opener),
            *codec.encode_after(layout.prompt + layout.opener, messages[-1].content),
        )  # fmt: skip
        return (*self.answer_context(messages[:-1]), *answer, *codec.encode(cut(ending)))

    # --- text and ids -------------------------------------------------------------------------

    def encode_content(self, text: str) -> tuple[int, ...]:
        """Ids of nothing but a text, as it stands behind a header; never control tokens."""
        layout = self._layout(text)
        return layout.codec.encode_after(layout.headers["user"], text)

    def encode_turn(self, text: str) -> tuple[int, ...]:
        """Ids that a text has as a user turn, right behind a context; never control tokens.

        They begin with the spaces that the user header ends in, see `layout`, unless the text does.
        """
        layout = self._layout(text)
        gap = "" if text[:1].isspace() else layout.gap
        return layout.codec.encode_after(cut(layout.headers["user"]), gap + text)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, special tokens spelled out, spaces as they are."""
        return str(
            self._template.tokenizer.decode(
                list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        )

    def pieces(self, ids: Sequence[int]) -> tuple[str, ...]:
        """Text that each id adds; joined they are `decode(ids)`.

        A character whose bytes are spread over several ids belongs to the one that completes it.
        """
        text = self.decode(ids)
        ends = []
        for at in range(len(ids)):
            begun = self.decode(ids[: at + 1])
            while not text.startswith(begun):  # it ends in a character that is not whole yet
                begun = begun[:-1]
            ends.append(len(begun))
        return tuple(text[start:end] for start, end in zip([0, *ends], ends, strict=False))

    def answer_text(self, ids: Sequence[int]) -> str:
        """What a conversation keeps of a generated answer: its content, without its reasoning.

        Where the template puts control tokens between the generation prompt and an answer's content
        (the end of a think block, the opening of a final channel), or shows how reasoning ends, the
        answer begins behind the last such place, and is empty if the model never got there.
        Elsewhere it is all of `ids`, less the words with which the template opens every answer. It
        ends where a header in plain text does, as in `user_text`.
        """
        return self.answer_stop.cut(answers.content(self._layout(), ids, self.decode))

    def reasoning_text(self, ids: Sequence[int]) -> str:
        """What a model thought in front of a generated answer; empty where it did not."""
        return answers.reasoning(self._layout(), ids, self.decode)

    def answer_ids(self, ids: Sequence[int], instead: str | None = None) -> tuple[int, ...]:
        """Ids of a generated answer for `live` contexts, up to a header in plain text.

        Args:
            ids: The answer as it was generated.
            instead: What stands in place of its content, behind the same reasoning.
        """
        layout = self._layout(instead or "")
        whole, content = self.decode(ids), answers.content(layout, ids, self.decode)
        start = max(whole.rfind(content), 0) if content else len(whole)
        if instead is not None:
            head = layout.prompt + layout.codec.swap(whole[:start])
            front = answers.up_to(ids, start, self.decode)
            return (*ids[:front], *layout.codec.encode_after(head, instead))
        kept = self.answer_stop.cut(content)
        end = len(ids) if kept == content else answers.up_to(ids, start + len(kept), self.decode)
        return tuple(ids[:end])

    def user_text(self, ids: Sequence[int]) -> str:
        """The text of a generated user turn, up to a header that the model wrote in plain text."""
        return self.user_stop.cut(self.decode(ids))

    @property
    def keeps_reasoning(self) -> bool:
        """Whether the template shows the reasoning of earlier answers."""
        thought = self._layout().reasoning
        return thought is not None and thought.kept

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
        return stops.user_stop(
            self._template, self._layout(), self._eos_ids, self._extra_stop, self._strip_suffixes
        )

    @cached_property
    def answer_stop(self) -> StopSet:
        """Ends of an answer: the template's end of a last turn, EOS, headers of other roles.

        Raises:
            TemplateError: As `user_stop`.
        """
        return stops.answer_stop(self._template, self._layout(), self._eos_ids)

    @cached_property
    def header_ids(self) -> frozenset[int]:
        """The control tokens that open turns, one for each role at most."""
        return frozenset(stops.openers(self._layout()))

    # --- checks and identity ------------------------------------------------------------------

    @property
    def template_hash(self) -> str:
        """Hash (64 hexadecimal digits) of the template's text and its arguments."""
        return self._template.hash

    @property
    def control_ids(self) -> frozenset[int]:
        """Ids that content never has: special tokens, and added tokens that the template writes."""
        return frozenset(self._template.controls.values())

    def self_check(self, *, system: bool = False) -> None:
        """Refuse a template that does not carry a conversation as it is.

        Args:
            system: Conversations begin with system messages.

        Raises:
            TemplateError: The template rejects the roles; drops, repeats, reorders, merges or
                alters messages (whitespace around them aside); does not tell user from assistant;
                writes no generation prompt, or opens reasoning there that it never ends; its user
                header merges with the text behind it; it writes today's date; or nothing ends a
                turn.
        """
        texts = (*check.PROBES, *check.OPENINGS, check.SYSTEM)
        check.check_contents(self._template, self._template.codec(*texts), system=system)
        check.check_layout(self._template, self._layout(*texts))
        _ = self.user_stop, self.answer_stop

    def _layout(self, *texts: str) -> Layout:
        """What the template writes around turns, in marks that none of the texts holds."""
        codec = self._template.codec(*texts)
        if codec not in self._layouts:
            self._layouts[codec] = read(self._template, codec)
        return self._layouts[codec]

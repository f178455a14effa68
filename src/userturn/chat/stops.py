"""Stop sets: what ends a turn, each with the reason why it does.

Special tokens end turns as they are generated. Where the template writes the next header in plain
text, with no token in front of it (`<|assistant|>` of OLMo 2, `### Assistant:`), a turn is over
where that text begins, and all behind it is cut off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from userturn.base.errors import TemplateError
from userturn.chat.layout import Layout
from userturn.chat.template import Template


@dataclass(frozen=True, slots=True)
class StopSet:
    """What ends a turn.

    Attributes:
        ids: Tokens, ascending.
        reasons: Why each is in.
        names: How each is spelled.
        texts: Plain text that ends a turn where it begins.
    """

    ids: tuple[int, ...]
    reasons: dict[int, str]
    names: dict[int, str]
    texts: tuple[str, ...] = ()

    def first_text(self, text: str) -> str | None:
        """The first of `texts` in a turn; None where none is in it."""
        places = {text.find(one): one for one in self.texts if one in text}
        return places[min(places)] if places else None

    def cut(self, text: str) -> str:
        """A turn up to the first text that ends it."""
        end = self.first_text(text)
        return text if end is None else text.partition(end)[0].rstrip()


def user_stop(
    template: Template,
    layout: Layout,
    eos_ids: Sequence[int],
    extra: Sequence[str],
    suffixes: Sequence[str],
) -> StopSet:
    """Ends of a user turn: the template's end, every role header, EOS, the study's own.

    Args:
        template: The template.
        layout: What it writes around turns.
        eos_ids: End-of-sequence ids beside the tokenizer's own.
        extra: Spelling of more special tokens that end a user turn.
        suffixes: Control words that the template may put between a user turn and its end.

    Raises:
        TemplateError: A stop is not one special token, or there is none.
    """
    codec, after = layout.codec, layout.after_user
    for suffix in map(codec.swap, suffixes):
        after = after.removeprefix(suffix)
    ends = [
        (codec.first_control(after), "ends a user turn in the template"),
        *((id_, _opens(roles)) for id_, roles in openers(layout).items()),
        *((_special(template, text), "extra_stop") for text in extra),
    ]
    texts = _texts(template, layout, after, layout.headers["assistant"], "user turn")
    if texts:
        del ends[0]  # the first token stands behind the text that ends the turn
    return _stop_set(template, eos_ids, ends, texts=texts)


def answer_stop(template: Template, layout: Layout, eos_ids: Sequence[int]) -> StopSet:
    """Ends of an answer: the template's end of a last turn, EOS, headers of other roles.

    A header token that also opens an assistant turn is no stop: an assistant may write several
    messages (reasoning, then the answer) before its turn is over.

    Raises:
        TemplateError: As `user_stop`.
    """
    codec = layout.codec
    path = frozenset(codec.controls_in(layout.path))
    texts = _texts(
        template, layout, layout.after_answer + layout.tail, layout.headers["user"], "answer"
    )
    # Of several tokens that close an answer, the first one that does not close reasoning too.
    closing = codec.controls_in(layout.after_answer) or codec.controls_in(layout.tail)[:1]
    end = next((id_ for id_ in closing if id_ not in path), closing[0] if closing else None)
    ends = [
        (None if texts else end, "ends an answer in the template"),
        *(
            (id_, _opens(roles))
            for id_, roles in openers(layout).items()
            if "assistant" not in roles
        ),
    ]
    return _stop_set(template, eos_ids, ends, path, texts)


def _texts(
    template: Template, layout: Layout, after: str, header: str, turn: str
) -> tuple[str, ...]:
    """Plain text that ends a turn, where no token does and none opens the next one.

    Raises:
        TemplateError: Not even the text of the next header tells where a turn ends.
    """
    codec = layout.codec
    front = codec.before_control(after)
    words = codec.before_control(header).strip()
    if front == after or (words and words in front):
        words = words or front.strip()
        if not re.search(r"[^\w\s]", words):
            raise TemplateError(
                f"{template.name}: nothing in its chat template ends {turn}s, neither a special "
                "token nor a marker in the next header; mend chat_template.jinja there"
            )
        return (words,)
    return ()


def openers(layout: Layout) -> dict[int, list[str]]:
    """Control tokens that open turns, each with its roles.

    Behind a role in plain text, a token opens turns only if it opens the user's among others.
    """
    codec = layout.codec
    roles: dict[int, list[str]] = {}
    plain: set[int] = set()
    for role, text in layout.headers.items():
        if (id_ := codec.first_control(text)) is not None:
            roles.setdefault(id_, []).append(role)
            if codec.before_control(text).strip():
                plain.add(id_)
    return {
        id_: whose
        for id_, whose in roles.items()
        if id_ not in plain or ("user" in whose and len(whose) > 1)
    }


def _special(template: Template, text: str) -> int:
    if text not in template.controls:
        raise TemplateError(
            f"{template.name}: {text!r} in `extra_stop` is not one special token of the tokenizer; "
            f"it has {', '.join(list(template.controls)[:20])}"
        )
    return template.controls[text]


def _stop_set(
    template: Template,
    eos_ids: Sequence[int],
    ends: Iterable[tuple[int | None, str]],
    path: frozenset[int] = frozenset(),
    texts: tuple[str, ...] = (),
) -> StopSet:
    """End-of-sequence ids and other ends with their reasons; None stands for one that is not.

    Tokens of `path` stand in front of an answer's content too, and so cannot end it.
    """
    eos = [(id_, "eos") for id_ in (template.tokenizer.eos_token_id, *eos_ids)]
    names = {id_: text for text, id_ in template.controls.items()}
    reasons: dict[int, list[str]] = {}
    for id_, reason in (*eos, *ends):
        if id_ is None:
            continue
        if id_ not in names:
            raise TemplateError(
                f"{template.name}: token {id_} ({reason}) would end turns but is not a special "
                "token; mend eos_token or generation_config.json there"
            )
        if reason not in reasons.setdefault(id_, []):
            reasons[id_].append(reason)
    if reasons and not reasons.keys() - path:
        spelled = ", ".join(names[id_] for id_ in reasons)
        raise TemplateError(
            f"{template.name}: {spelled} ends answers and reasoning alike, so an answer would be "
            "over where its reasoning is; set enable_thinking: false in chat.template_kwargs, or "
            "name another token that ends answers in generation_config.json"
        )
    reasons = {id_: why for id_, why in reasons.items() if id_ not in path}
    if not reasons:
        raise TemplateError(
            f"{template.name}: neither template nor tokenizer has a token that ends a turn; "
            "set eos_token in tokenizer_config.json"
        )
    ids = tuple(sorted(reasons))
    return StopSet(
        ids,
        {id_: "; ".join(reasons[id_]) for id_ in ids},
        {id_: names[id_] for id_ in ids},
        texts,
    )


def _opens(roles: Iterable[str]) -> str:
    return f"opens a turn: {', '.join(roles)}"

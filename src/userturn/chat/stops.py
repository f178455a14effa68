"""Stop sets: the special tokens that end a turn, each with the reason why it does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from userturn.base.errors import TemplateError
from userturn.chat.layout import Layout
from userturn.chat.template import Template


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
    return _stop_set(template, eos_ids, ends)


def answer_stop(template: Template, layout: Layout, eos_ids: Sequence[int]) -> StopSet:
    """Ends of an answer: the template's end of a last turn, EOS, headers of other roles.

    A header token that also opens an assistant turn is no stop: an assistant may write several
    messages (reasoning, then the answer) before its turn is over.

    Raises:
        TemplateError: As `user_stop`.
    """
    end = layout.codec.first_control(layout.after_answer + layout.tail)
    ends = [
        (end, "ends an answer in the template"),
        *(
            (id_, _opens(roles))
            for id_, roles in openers(layout).items()
            if "assistant" not in roles
        ),
    ]
    return _stop_set(template, eos_ids, ends)


def openers(layout: Layout) -> dict[int, list[str]]:
    """Control tokens that open turns, each with its roles."""
    roles: dict[int, list[str]] = {}
    for role, text in layout.headers.items():
        if (id_ := layout.codec.first_control(text)) is not None:
            roles.setdefault(id_, []).append(role)
    return roles


def _special(template: Template, text: str) -> int:
    if text not in template.controls:
        raise TemplateError(
            f"{template.name}: {text!r} in `extra_stop` is not one special token of the tokenizer; "
            f"it has {', '.join(list(template.controls)[:20])}"
        )
    return template.controls[text]


def _stop_set(
    template: Template, eos_ids: Sequence[int], ends: Iterable[tuple[int | None, str]]
) -> StopSet:
    """End-of-sequence ids and other ends with their reasons; None stands for one that is not."""
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
    if not reasons:
        raise TemplateError(
            f"{template.name}: neither template nor tokenizer has a token that ends a turn; "
            "set eos_token in tokenizer_config.json"
        )
    ids = tuple(sorted(reasons))
    return StopSet(
        ids, {id_: "; ".join(reasons[id_]) for id_ in ids}, {id_: names[id_] for id_ in ids}
    )


def _opens(roles: Iterable[str]) -> str:
    return f"opens a turn: {', '.join(roles)}"

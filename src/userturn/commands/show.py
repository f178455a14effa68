"""What a model is given, for a reader: contexts token by token, and what ends a turn."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from userturn.artifacts import files, messages
from userturn.artifacts.messages import Query
from userturn.artifacts.prompts import has_system
from userturn.base import paths
from userturn.base.errors import StudyError
from userturn.study import models
from userturn.study.study import Study
from userturn.turns.planner import Shown

if TYPE_CHECKING:
    from userturn.chat.chat import Chat, Mode

CONTROL = "bold black on dark_orange"
PLAIN = ("grey93 on grey19", "grey93 on grey30")  # neighbouring tokens differ
FAINT = "dim"
ANSWER_STAND_IN = "(the answer, once it is generated)"
LONGEST = 320  # tokens of a context that are printed; the middle of longer ones is left out


@dataclass(frozen=True, slots=True)
class Piece:
    """The fewest tokens that decode to whole characters, mostly one."""

    ids: tuple[int, ...]
    text: str
    control: bool


def show(chat: Chat, query: Query, answer: Shown, mode: Mode) -> Group:
    """Render what a model is given for one prompt and answer.

    Args:
        chat: The model's chat.
        query: The prompt.
        answer: The assistant's turn, and how it was generated.
        mode: The context of the study; the other one is shown by where it differs.

    Raises:
        TemplateError: The template cannot carry this conversation.
    """
    other: Mode = "live" if mode == "history" else "history"
    asked = chat.answer_context(query)
    given, instead = answer.context(chat, query, mode), answer.context(chat, query, other)
    return Group(
        Text.assemble(
            (chat.name, "bold"),
            (f"   template {chat.template_hash[:12]}   ", FAINT),
            ("⟦control token⟧", CONTROL),
        ),
        _section(f"answer context · {_count(asked)}"),
        _flow(chat, asked, "the answer"),
        _section(f"user context · {mode} · {_count(given)}"),
        _flow(chat, given, "the user turn"),
        _section(f"{other} instead of {mode}"),
        _difference(chat, {mode: given, other: instead}),
        _section("what ends a turn"),
        _stops(chat),
    )


def show_item(
    study: Study,
    model: str,
    dataset: str,
    item: int,
    answer: str | None = None,
    mode: Mode | None = None,
) -> Group:
    """Render what a model is given for one prompt of the study.

    Args:
        study: The study.
        model: Slug of the study, or a model directory.
        dataset: Slug of the study.
        item: Place of the prompt in the study's order, from 0.
        answer: The assistant's turn; by default the model's own, as far as it was generated.
        mode: The context; by default the study's.

    Raises:
        UserturnError: The study has no such model, dataset or item.
    """
    chat = _chat(study, model)
    if dataset not in study.prompts.datasets:
        known = ", ".join(study.prompts.datasets)
        raise StudyError(f"unknown dataset '{dataset}'; the study has: {known}")
    prompts = files.read(paths.artifact("prompts", dataset), "prompts").sort("order").to_dicts()
    if not 0 <= item < len(prompts):
        raise StudyError(f"--item {item}: '{dataset}' has the items 0 to {len(prompts) - 1}")
    prompt = prompts[item]
    chat.self_check(system=has_system([prompt]))
    shown = Shown(answer or ANSWER_STAND_IN, None)
    if answer is None:
        shown = _own_answer(model, dataset, prompt["item"]) or shown
    return show(chat, messages.asked(prompt), shown, mode or study.generate.context)


def _chat(study: Study, model: str) -> Chat:
    from userturn.chat.chat import Chat
    from userturn.models import weights

    if model in study.model:
        return Chat.load(weights.materialise(study, model), study.model[model].chat)
    if os.path.isdir(model):  # false for what can be no path
        return Chat.load(Path(model), models.Chat())
    known = ", ".join(study.model)
    raise StudyError(f"unknown model '{model}': no directory, and the study has: {known}")


def _own_answer(model: str, dataset: str, item: str) -> Shown | None:
    """The model's answer, where there is one."""
    path = paths.artifact("answers", model)
    if not path.exists():
        return None
    rows = files.read(path, "answers").filter(dataset=dataset, item=item).to_dicts()
    shown = Shown.of(rows[0]) if rows else None
    return shown if shown and shown.text is not None else None


def pieces(chat: Chat, ids: Sequence[int]) -> Iterator[Piece]:
    """Split ids into pieces; a character that several tokens share the bytes of is one piece."""
    start = 0
    for end in range(1, len(ids) + 1):
        text = chat.decode(ids[start:end])
        open_ended = "\ufffd" in text and end < len(ids) and end - start < 4
        if not open_ended or ids[end] in chat.control_ids:
            yield Piece(tuple(ids[start:end]), text, ids[start] in chat.control_ids)
            start = end


def rows(chat: Chat, ids: Sequence[int]) -> Iterator[list[Piece]]:
    """Break ids where a reader would: behind a newline, and in front of a turn's header."""
    row: list[Piece] = []
    for piece in pieces(chat, ids):
        if row and piece.ids[0] in chat.header_ids:
            yield row
            row = []
        row.append(piece)
        if piece.text.endswith("\n"):
            yield row
            row = []
    if row:
        yield row


def visible(text: str) -> str:
    """Spell out what a terminal would not show, or would obey."""
    signs = {"\n": "⏎", "\t": "⇥", "\r": "␍"}
    return "".join(
        signs.get(sign, sign if sign.isprintable() else sign.encode("unicode_escape").decode())
        for sign in text
    )


def _flow(chat: Chat, ids: Sequence[int], next_turn: str) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(justify="right", style=FAINT, min_width=4)
    table.add_column(ratio=3, overflow="fold")
    table.add_column(ratio=2, overflow="fold", style=FAINT)
    half = LONGEST // 2
    hidden = len(ids) - 2 * half if len(ids) > LONGEST else 0
    parts = [(0, ids[:half]), (half + hidden, ids[half + hidden :])] if hidden else [(0, ids)]
    for start, part in parts:
        if start:
            table.add_row("…", Text(f"{hidden:,} more tokens", FAINT), "")
        position = start
        for row in rows(chat, part):
            numbers = [id_ for piece in row for id_ in piece.ids]
            table.add_row(str(position), _line(row), " ".join(map(str, numbers)))
            position += len(numbers)
    table.add_row(
        str(len(ids)), Text(f"▸ the model writes {next_turn} from here", "bold green"), ""
    )
    return table


def _line(row: Sequence[Piece]) -> Text:
    line = Text()
    for nth, piece in enumerate(row):
        line.append(*_token(piece.text) if piece.control else (visible(piece.text), PLAIN[nth % 2]))
    return line


def _token(name: str) -> tuple[str, str]:
    """A control token, told from its spelling by more than colour."""
    return f"⟦{visible(name)}⟧", CONTROL


def _difference(chat: Chat, contexts: dict[Mode, tuple[int, ...]]) -> RenderableType:
    """The stretch in which two contexts differ: all between their common beginning and end."""
    first, second = contexts.values()
    if first == second:
        return Text("the same ids", FAINT)
    shortest = min(len(first), len(second))
    start = next((n for n in range(shortest) if first[n] != second[n]), shortest)
    room = shortest - start
    end = next((n for n in range(room) if first[-1 - n] != second[-1 - n]), room)
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(style=FAINT)
    table.add_column(ratio=3, overflow="fold")
    table.add_column(ratio=2, overflow="fold", style=FAINT)
    for mode, ids in contexts.items():
        stretch = ids[start : len(ids) - end]
        cut = stretch[: LONGEST // 8]
        text = _line(list(pieces(chat, cut))) if cut else Text("nothing", FAINT)
        more = f" … {len(stretch) - len(cut):,} more" if len(cut) < len(stretch) else ""
        table.add_row(mode, text, " ".join(map(str, cut)) + more)
    return Group(
        Text(f"from token {start} on; the last {end} tokens are alike again", FAINT), table
    )


def _stops(chat: Chat) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=FAINT)
    table.add_column("id", justify="right", min_width=4)
    for heading in ("token", "ends a user turn", "ends an answer"):
        table.add_column(heading)
    user, answer = chat.user_stop, chat.answer_stop
    names = {**answer.names, **user.names}
    for id_ in sorted(names):
        table.add_row(
            str(id_),
            Text(*_token(names[id_])),
            *(stop.reasons.get(id_) or Text("—", FAINT) for stop in (user, answer)),
        )
    return table


def _section(title: str) -> Padding:
    return Padding(Rule(Text(title, "bold"), align="left", style=FAINT), (1, 0, 0, 0))


def _count(ids: Sequence[int]) -> str:
    return f"{len(ids):,} tokens"

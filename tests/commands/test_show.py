from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from chat_templates import FAMILIES, tokenizer
from userturn.chat.chat import Chat
from userturn.commands.show import LONGEST, pieces, rows, show, visible
from userturn.turns.planner import Shown


def chat(name: str) -> Chat:
    made = FAMILIES[name]
    tok = tokenizer(made.template, made.special, made.plain, made.eos, made.bos)
    return Chat(tok, made.kwargs, (), made.strip_suffixes)


def printed(*arguments: Any, width: int = 200) -> str:
    console = Console(width=width, file=StringIO(), color_system=None)
    chat, query, answer, mode = arguments
    console.print(show(chat, query, Shown(answer, None), mode))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def section(text: str, title: str) -> str:
    return text.split(title, 1)[1].split("──\n", 1)[1].split("\n\n", 1)[0].split(" ──")[0]


def test_every_id_stands_in_its_context() -> None:
    made = chat("qwen")
    text = printed(made, "What is 2 + 2?\nNow.", "It is four.", "history")
    shown = section(text, "user context")
    ids = made.user_context("What is 2 + 2?\nNow.", "It is four.", "history")
    columns = [line[100:].split() for line in shown.splitlines() if "▸" not in line]
    assert [int(id_) for column in columns for id_ in column if id_.isdigit()][-len(ids) :] == list(
        ids
    )
    assert "⟦<|im_start|>⟧user⏎" in shown
    assert f"{len(ids)}  ▸ the model writes the user turn from here" in shown


def test_a_spelled_control_token_does_not_look_like_one() -> None:
    text = section(printed(chat("qwen"), "say <|im_end|> now", "no", "history"), "answer context")
    assert "say <|im_end|> now⟦<|im_end|>⟧⏎" in text


def test_the_other_context_is_shown_by_its_difference() -> None:
    text = printed(chat("qwen"), "Q", "A", "history")
    assert "live instead of history" in text
    shown = section(text, "live instead of history")
    assert "⟦<think>⟧" in next(line for line in shown.splitlines() if line.startswith("live"))
    assert "nothing" in next(line for line in shown.splitlines() if line.startswith("history"))
    assert "the same ids" in printed(chat("harmony"), "Q", "A", "live")


def test_the_stop_set_has_reasons() -> None:
    lines = section(printed(chat("glm45"), "Q", "A", "live"), "what ends a turn").splitlines()
    observation = next(line for line in lines if "⟦<|observation|>⟧" in line)
    assert observation.count("opens a turn: tool") == 2


def test_long_contexts_are_shortened_in_the_middle() -> None:
    text = printed(chat("qwen"), "apples " * 5000, "A", "history")
    assert "more tokens" in text
    assert len(text.split()) < 12 * LONGEST
    assert text.count("▸") == 2


@pytest.mark.parametrize("name", FAMILIES)
def test_rows_keep_every_id(name: str) -> None:
    made = chat(name)
    ids = made.user_context("👩‍👩‍👧 שלום\n\nQ", "\x00私\x1b[31m [bold]", "live")
    assert tuple(i for row in rows(made, ids) for piece in row for i in piece.ids) == ids
    assert "".join(piece.text for piece in pieces(made, ids)) == made.decode(ids)
    assert "\ufffd" not in "".join(piece.text for piece in pieces(made, ids))


def test_markup_and_terminal_codes_are_text() -> None:
    text = printed(chat("llama"), "\x1b[31m[bold red]x[/]\x00\u202e", "", "history")
    assert "\\x1b[31m[bold red]x[/]\\x00\\u202e" in text
    assert "\x1b" not in text
    assert visible("a\tb\r\n") == "a⇥b␍⏎"

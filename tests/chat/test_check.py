"""What the self-check refuses, and what it lets pass."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from chat_templates import (
    BROKEN,
    CHATML,
    PLAIN,
    tokenizer,
)
from userturn.base.errors import TemplateError
from userturn.chat.chat import Chat
from userturn.chat.check import OPENINGS


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_templates_are_refused(kind: str) -> None:
    template, message = BROKEN[kind]
    chat = Chat(tokenizer(template, PLAIN, eos="<|im_end|>"), {})
    with pytest.raises(TemplateError, match=message) as caught:
        chat.self_check()
    assert "tiny" in str(caught.value)
    assert "template" in str(caught.value)


def test_sound_templates_pass(chat: Chat) -> None:
    chat.self_check()


@pytest.mark.parametrize("trim", ["m.content | trim", "m.content.lstrip()", "m.content.rstrip()"])
def test_trimmed_whitespace_is_accepted(trim: str) -> None:
    chat = Chat(tokenizer(CHATML.replace("m.content", trim), PLAIN, eos="<|im_end|>"), {})
    chat.self_check()
    for mode in ("history", "live"):
        assert "padded" in chat.decode(chat.user_context("  padded \n", " x ", mode))


def test_a_template_that_reads_content_is_caught_at_the_content() -> None:
    drops_empty = "{% for m in messages if m.content %}" + CHATML.split("%}", 1)[1]
    chat = Chat(tokenizer(drops_empty, PLAIN, eos="<|im_end|>"), {})
    chat.self_check()
    with pytest.raises(TemplateError, match="other control tokens"):
        chat.user_context("q", "", "history")


def test_openings_of_the_self_check_are_ordinary() -> None:
    assert all(text.strip() == text for text in OPENINGS)


ENDLESS = (
    "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}"
    "{% endfor %}{% endfor %}{% endfor %}"
)


@pytest.mark.timeout(60)
@pytest.mark.slow
def test_a_template_that_loops_for_ever_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("userturn.chat.template.LONGEST_S", 0.2)
    chat = Chat(tokenizer(ENDLESS + CHATML, PLAIN, eos="<|im_end|>"), {})
    handler, timer = signal.getsignal(signal.SIGVTALRM), signal.getitimer(signal.ITIMER_VIRTUAL)
    with pytest.raises(TemplateError, match=r"tiny: its chat template .*more than 0\.2 s"):
        chat.self_check()
    assert signal.getsignal(signal.SIGVTALRM) == handler
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == timer == (0, 0)


def test_a_template_renders_in_any_thread() -> None:
    chat = Chat(tokenizer(CHATML, PLAIN, eos="<|im_end|>"), {})
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(chat.answer_context, "Q").result() == chat.answer_context("Q")


def test_half_a_surrogate_pair_from_the_template_is_a_clear_error() -> None:
    chat = Chat(tokenizer(CHATML + "{{ day }}", PLAIN, eos="<|im_end|>"), {"day": "\ud800"})
    with pytest.raises(TemplateError, match="surrogate"):
        chat.self_check()

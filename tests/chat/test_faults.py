"""Templates that go wrong each in one way: the right contexts, or a refusal that names the mend."""

from __future__ import annotations

import pytest

from chat_documented import build, documented, each
from chat_templates import CHATML, PLAIN, Family
from userturn.base.errors import TemplateError
from userturn.chat.chat import Chat
from userturn.chat.check import OPENINGS
from userturn.chat.messages import alternating

THINK = ("<think>", "</think>")


def chat_of(template: str, **settings: object) -> Chat:
    """A chat of ChatML's tokens, or of others."""
    made: dict[str, object] = {"special": PLAIN, "plain": THINK, "eos": "<|im_end|>", **settings}
    return build(Family(template, **made))  # type: ignore[arg-type]


def said(chat: Chat, text: str) -> list[int]:
    """Ids of what a model generates, control tokens and all."""
    return list(chat._template.tokenizer.encode(text, add_special_tokens=False))


def spelled(chat: Chat, ids: tuple[int, ...]) -> str:
    return chat.decode(ids)


def whole(chat: Chat, *contents: str) -> tuple[int, ...]:
    """What transformers makes of alternating turns."""
    messages = [{"role": one.role, "content": one.content} for one in alternating(*contents)]
    template = chat._template
    return tuple(
        template.tokenizer.apply_chat_template(
            messages, tokenize=True, return_dict=False, **template.arguments
        )
    )


# --- a: the generation prompt opens reasoning -----------------------------------------------------

OPENED = CHATML.replace("assistant\n'", "assistant\n<think>\n'")
OPENED_SHOWN = OPENED.replace(
    "m.content +",
    "('<think>\n' + m.reasoning_content + '\n</think>\n\n' if m.reasoning_content else '')"
    " + m.content +",
)
OPENED_CUT = OPENED.replace("m.content +", "m.content.split('</think>')[-1] +")


def test_reasoning_that_never_ends_is_refused() -> None:
    chat = chat_of(OPENED)
    with pytest.raises(TemplateError, match=r"'<think>'.*reasoning_content.*enable_thinking"):
        chat.self_check()
    with pytest.raises(TemplateError, match="does not show how it ends"):
        chat.answer_text([1])


@pytest.mark.parametrize(
    ("template", "end"), [(OPENED_SHOWN, "\n</think>\n\n"), (OPENED_CUT, "</think>\n\n")]
)
def test_reasoning_that_the_prompt_opens_is_no_part_of_the_answer(template: str, end: str) -> None:
    chat = chat_of(template)
    chat.self_check()
    prompt = "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n<think>\n"
    assert spelled(chat, chat.answer_context("Q")) == prompt
    assert chat.answer_text(said(chat, "Hm.\n</think>\n\n42")) == "42"
    assert chat.answer_text(said(chat, "Hm, hm.")) == ""
    assert chat.reasoning_text(said(chat, "Hm.\n</think>\n\n42")) == "Hm."
    assert spelled(chat, chat.reply_context("Q")) == prompt + end
    next_turn = "<|im_end|>\n<|im_start|>user\n"
    assert spelled(chat, chat.user_context("Q", "42", "live")) == prompt + end + "42" + next_turn
    history = spelled(chat, chat.user_context("Q", "42", "history"))
    assert history == prompt.removesuffix("<think>\n") + "42" + next_turn


def test_reasoning_opened_in_words_is_found() -> None:
    template = OPENED_SHOWN.replace("assistant\n<think>\n'", "assistant\nMy steps:\n'")
    template = template.replace("<think>\n'", "'").replace("</think>", "[FINAL]")
    chat = chat_of(template, plain=())
    chat.self_check()
    assert chat.answer_text(said(chat, "1. Hm.\n[FINAL]\n\n42")) == "42"
    assert chat.answer_text(said(chat, "1. Hm.")) == ""


# --- b: the model opens reasoning itself ----------------------------------------------------------

CUT = CHATML.replace("m.content +", "m.content.split('</think>')[-1].lstrip('\n') +")
SWITCHED = CHATML.replace(
    "assistant\n'", "assistant\n' + ('' if thinking | default(true) else '<think>\n\n</think>\n')"
)
CHANNEL = CHATML.replace(
    "m.content +",
    "m.content.split('<|channel>')[0] + m.content.split('<channel|>')[-1] +"
    " ('' if '<channel|>' in m.content else '') +",
).replace(
    "m.content.split('<|channel>')[0] + m.content.split('<channel|>')[-1]",
    "(m.content.split('<|channel>')[0] + m.content.split('<channel|>')[-1]"
    " if '<|channel>' in m.content else m.content)",
)
TOLD = (
    "{%- if thinking %}{{ '<|im_start|>system\nThoughts go between <think></think>, the response"
    " between <response></response>.<|im_end|>\n' }}{%- endif %}"
) + CHATML


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (CUT, "<think>\nHm.\n</think>\n\n42"),
        (SWITCHED, "<think>\nHm.\n</think>\n42"),
        (CHANNEL, "<|channel>thought\nHm.<channel|>42"),
        (TOLD, "<think>Hm.</think><response>42</response>"),
    ],
)
@pytest.mark.parametrize("plain", [THINK, ()])
def test_reasoning_that_the_model_opens_is_no_part_of_the_answer(
    template: str, text: str, plain: tuple[str, ...]
) -> None:
    chat = chat_of(template, plain=plain, kwargs={"thinking": True})
    chat.self_check()
    assert chat.answer_text(said(chat, text)) == "42"
    assert "Hm." in chat.reasoning_text(said(chat, text))
    assert chat.answer_text(said(chat, text.partition("Hm.")[0] + "Hm.")) == ""
    assert chat.answer_text(said(chat, "42 it is.")) == "42 it is."
    assert chat.reasoning_text(said(chat, "42 it is.")) == ""


def test_a_system_message_tells_of_reasoning_in_tokens() -> None:
    system = (
        "{{ '<|im_start|>system\nFirst <think>thoughts</think>, then <b>text</b>.<|im_end|>\n' }}"
    )
    chat = chat_of(system + CHATML)
    chat.self_check()
    assert chat.answer_text(said(chat, "<think>Hm.</think>42")) == "42"
    untold = chat_of(system + CHATML, plain=())
    assert untold.answer_text(said(untold, "<b>42</b>")) == "<b>42</b>"


def test_a_model_without_reasoning_answers_as_before() -> None:
    chat = chat_of(CHATML)
    assert chat.answer_text(said(chat, "a <think> b </think> c")) == "a <think> b </think> c"
    assert not chat.keeps_reasoning


# --- c: what ends reasoning would end the answer --------------------------------------------------

_BEGIN = ("<|begin|>", "<|content|>", "<|end|>", "<|think|>")
CHANNELS = """
{%- for m in messages %}
  {{- '<|begin|>' + m.role }}
  {%- if m.reasoning %}{{- '<|think|>' + m.reasoning + '<|end|><|begin|>assistant' }}{%- endif %}
  {{- '<|content|>' + m.content + '<|end|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|begin|>assistant' }}{%- endif %}"""


def test_no_token_of_reasoning_ends_an_answer() -> None:
    chat = chat_of(CHANNELS, special=_BEGIN, plain=(), eos="<|endoftext|>")
    chat.self_check()
    assert set(chat.answer_stop.names.values()) == {"<|endoftext|>"}
    assert set(chat.user_stop.names.values()) == {"<|begin|>", "<|end|>", "<|endoftext|>"}
    text = "<|think|>Hm.<|end|><|begin|>assistant<|content|>42"
    assert chat.answer_text(said(chat, text)) == "42"
    assert chat.answer_text(said(chat, text + "<|end|>")) == "42"
    assert chat.answer_text(said(chat, "<|think|>Hm.")) == ""
    assert chat.reasoning_text(said(chat, text)) == "Hm."


def test_an_answer_whose_only_end_ends_reasoning_too_is_refused() -> None:
    with pytest.raises(TemplateError, match=r"<\|end\|> ends answers and reasoning alike"):
        chat_of(CHANNELS, special=_BEGIN, plain=(), eos="<|end|>").self_check()


def test_of_several_closing_tokens_the_one_of_answers_alone_ends_them() -> None:
    nested = CHANNELS.replace("m.content + '<|end|>'", "m.content + '<|end|><|over|>'")
    chat = chat_of(nested, special=(*_BEGIN, "<|over|>"), plain=(), eos="<|endoftext|>")
    assert set(chat.answer_stop.names.values()) == {"<|over|>", "<|endoftext|>"}


# --- d: every answer opens in plain words ---------------------------------------------------------


def test_words_that_open_every_answer_do_not_double() -> None:
    turn = "'<|im_start|>' + m.role + '\n' + ('>>>all\n' if m.role == 'assistant' else '')"
    chat = chat_of(
        each(f"{turn} + m.content + '<|im_end|>\n'", "'<|im_start|>assistant\n>>>'"), plain=()
    )
    chat.self_check()
    text = chat.answer_text(said(chat, "all\nHello."))
    assert text == "Hello."
    for mode in ("history", "live"):
        assert spelled(chat, chat.user_context("Q", text, mode)).count(">>>all\nHello.") == 1


# --- e: no token ends a user turn -----------------------------------------------------------------

ALPACA = each(
    "'### ' + {'user': 'Instruction', 'assistant': 'Response'}.get(m.role, m.role) + ':\n'"
    " + m.content + (eos_token if m.role == 'assistant' else '') + '\n\n'",
    "'### Response:\n'",
)
SOLAR = each(
    "'### ' + m.role.capitalize() + ':\n' + m.content"
    " + (eos_token if m.role == 'assistant' else '') + '\n\n'",
    "'### Assistant:\n'",
)


@pytest.mark.parametrize(
    ("chat", "header"),
    [
        (documented("olmo2"), "<|assistant|>"),
        (chat_of(ALPACA, special=(), plain=(), eos="<|endoftext|>"), "### Response:"),
        (chat_of(SOLAR, special=(), plain=(), eos="<|endoftext|>"), "### Assistant:"),
    ],
)
def test_a_user_turn_ends_where_the_next_header_stands_in_plain_text(
    chat: Chat, header: str
) -> None:
    chat.self_check()
    assert chat.user_stop.texts == (header,)
    assert chat.answer_stop.texts == ()
    run_on = said(chat, f"And then?\n\n{header}\nThen this.")
    assert chat.user_text(run_on) == "And then?"
    assert chat.user_stop.first_text(chat.decode(run_on)) == header
    assert chat.user_text(said(chat, "And then?")) == "And then?"


def test_a_user_turn_that_nothing_ends_is_refused() -> None:
    words = each(
        "m.role + '\n' + m.content + (eos_token if m.role == 'assistant' else '') + '\n'",
        "'assistant\n'",
    )
    with pytest.raises(TemplateError, match=r"nothing in its chat template ends user turns"):
        chat_of(words, special=(), plain=(), eos="<|endoftext|>").self_check()


# --- f: an answer behind an answer ----------------------------------------------------------------

# Only a turn that something follows is closed.
YI = """
{%- for m in messages %}
  {{- '<|im_start|>' + m.role + '\n' + m.content }}
  {{- '<|im_end|>\n' if add_generation_prompt or not loop.last else '' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"""
# No generation prompt behind an answer.
ASKED_ONLY = CHATML.replace(
    "add_generation_prompt", "add_generation_prompt and messages[-1].role == 'user'"
)
# A turn's header stands behind the last turn, asked for or not.
ALWAYS = CHATML.replace("{% if add_generation_prompt %}", "").removesuffix("{% endif %}")


@pytest.mark.parametrize("template", [YI, ASKED_ONLY, ALWAYS, CHATML])
def test_another_answer_has_the_end_of_the_first_and_a_header(template: str) -> None:
    chat = chat_of(template)
    chat.self_check()
    front = "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n<|im_start|>"
    for mode in ("history", "live"):
        assert spelled(chat, chat.user_context("Q", "A", mode)) == front + "user\n"
        assert spelled(chat, chat.assistant_context("Q", "A", mode)) == front + "assistant\n"
    assert set(chat.user_stop.names.values()) == {"<|im_start|>", "<|im_end|>"}
    assert set(chat.answer_stop.names.values()) == {"<|im_end|>"}


def test_role_voice_is_refused_where_no_header_opens_an_answer() -> None:
    chat = documented("mistral")
    assert not chat.role_voice
    for mode in ("history", "live"):
        with pytest.raises(TemplateError, match=r"role voice cannot be measured.*ground\.scorer"):
            chat.assistant_context("Q", "A", mode)


# --- g: an end of sequence without a prompt; a header that ends in a space ------------------------

VICUNA = each(
    "('USER: ' if m.role == 'user' else 'ASSISTANT: ') + m.content"
    " + (' ' if m.role == 'user' else eos_token)",
    "'ASSISTANT:'",
)
LLAMA2 = each(
    "bos_token + '[INST] ' + m.content + ' [/INST]' if m.role == 'user'"
    " else ' ' + m.content + ' ' + eos_token"
)


@pytest.mark.parametrize(
    ("template", "special", "cut"),
    [
        (VICUNA, (), "USER:"),
        (LLAMA2, ("<s>", "</s>"), "[INST]"),
        (LLAMA2, ("<s>", "</s>", "[INST]", "[/INST]"), "[INST]"),
    ],
)
def test_a_context_is_cut_in_front_of_spaces(
    template: str, special: tuple[str, ...], cut: str
) -> None:
    bos = "<s>" if special else None
    eos = "</s>" if special else "<|endoftext|>"
    chat = chat_of(template, special=special, plain=(), eos=eos, bos=bos)
    chat.self_check()
    context = chat.user_context("How so?", "Because.", "history")
    assert spelled(chat, context).endswith(cut)
    assert spelled(chat, chat.first_context()).endswith(cut)
    for opening in OPENINGS:
        rendered = whole(chat, "How so?", "Because.", opening)
        assert rendered[: len(context)] == context
        both = context + chat.encode_turn(opening)
        assert rendered[: len(both) - 1] == both[:-1]
        assert chat.decode(chat.encode_content(opening)) == opening


# --- h: today's date; what live shows -------------------------------------------------------------

DATED = "{{ '<|im_start|>system\n' + strftime_now('%d %b %Y') + '<|im_end|>\n' }}" + CHATML
DATE_STRING = (
    "{%- if date_string is not defined %}{% set date_string = strftime_now('%d %b') %}{% endif %}"
    "{{ '<|im_start|>system\n' + date_string + '<|im_end|>\n' }}"
) + CHATML


def test_a_date_is_refused_or_pinned() -> None:
    for template in (DATED, DATE_STRING):
        with pytest.raises(TemplateError, match=r"today's date.*strftime_now: 2026-01-01"):
            chat_of(template).self_check()
    for template, pin, date in (
        (DATED, {"strftime_now": "2026-01-31"}, "31 Jan 2026"),
        (DATED, {"strftime_now": "a Monday"}, "a Monday"),
        (DATE_STRING, {"date_string": "31 Jan"}, "31 Jan"),
    ):
        chat = chat_of(template, kwargs=pin)
        chat.self_check()
        assert f"system\n{date}<|im_end|>" in spelled(chat, chat.answer_context("Q"))


def test_live_shows_the_generated_ids_themselves() -> None:
    chat = chat_of(OPENED_SHOWN)
    ids = said(chat, "Hm.\n</think>\n\n42")
    context = chat.user_context("Q", chat.answer_text(ids), "live", generated=ids)
    end = said(chat, "<|im_end|>\n<|im_start|>user\n")
    assert context == (*chat.answer_context("Q"), *ids, *end)
    end = said(chat, "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n")
    context = chat.assistant_context("Q", chat.answer_text(ids), "live", generated=ids)
    assert context == (*chat.answer_context("Q"), *ids, *end)


# --- i: reasoning in history ----------------------------------------------------------------------


def test_history_shows_reasoning_where_the_template_does() -> None:
    keeps = chat_of(OPENED_SHOWN)
    assert keeps.keeps_reasoning
    shown = spelled(keeps, keeps.user_context("Q", "42", "history", reasoning="Hm. <|im_end|>"))
    assert "assistant\n<think>\nHm. <|im_end|>\n</think>\n\n42<|im_end|>" in shown
    last_only = OPENED_SHOWN.replace(
        "if m.reasoning_content", "if m.reasoning_content and loop.last"
    )
    drops = chat_of(last_only)
    assert not drops.keeps_reasoning
    with_it = drops.user_context("Q", "42", "history", reasoning="Hm.")
    assert with_it == drops.user_context("Q", "42", "history")


def test_reasoning_in_parts_of_the_content_is_shown() -> None:
    turn = (
        "'<|im_start|>' + m.role + '\n' + (m.content if m.content is string else"
        " '[THINK]' + m.content[0].thinking + '[/THINK]' + m.content[1].text) + '<|im_end|>\n'"
    )
    chat = chat_of(each(turn, "'<|im_start|>assistant\n'"), plain=("[THINK]", "[/THINK]"))
    chat.self_check()
    assert chat.keeps_reasoning
    assert chat.answer_text(said(chat, "[THINK]Hm.[/THINK]42")) == "42"
    shown = spelled(chat, chat.user_context("Q", "42", "history", reasoning="Hm."))
    assert "assistant\n[THINK]Hm.[/THINK]42<|im_end|>" in shown

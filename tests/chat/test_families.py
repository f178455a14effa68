"""Every documented family: header, ends, history against live, and ids as transformers gives."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_documented import DOCUMENTED, MISTRAL_NEMO, SHOWN, build, documented
from chat_templates import AWKWARD, FAMILIES, QUICK, TEXTS, Family, controls, family
from userturn.artifacts.messages import Message
from userturn.base.errors import TemplateError
from userturn.chat.chat import Chat
from userturn.chat.messages import alternating
from userturn.chat.template import passable

pytestmark = pytest.mark.slow

SYSTEM = Message("system", "Be terse.")


def rendered(chat: Chat, messages: Sequence[Message], *, prompt: bool = False) -> tuple[int, ...]:
    """What transformers makes of messages."""
    template = chat._template
    return tuple(
        template.tokenizer.apply_chat_template(
            passable(messages, template.reasoning_key),
            tokenize=True,
            return_dict=False,
            add_generation_prompt=prompt,
            **template.arguments,
        )
    )


@pytest.mark.parametrize("name", SHOWN)
def test_contexts_and_ends(name: str) -> None:
    chat, shown = documented(name), SHOWN[name]
    chat.self_check()
    assert chat.decode(chat.answer_context("Q")) == shown.answer
    history = chat.decode(chat.user_context("Q", "A", "history"))
    assert history == shown.history
    assert chat.decode(chat.user_context("Q", "A", "live")) == shown.live
    assert set(chat.user_stop.names.values()) == shown.user_stop
    assert set(chat.answer_stop.names.values()) == shown.answer_stop
    assert chat.role_voice == (shown.voice is not None)
    if shown.voice is None:
        with pytest.raises(TemplateError, match="no header opens an answer"):
            chat.assistant_context("Q", "A", "history")
    else:
        front = re.split(r"(?<!\w)A(?!\w)", history)[0] + "A"
        assert chat.decode(chat.assistant_context("Q", "A", "history")) == front + shown.voice


TOKENS = {
    "qwen": ("<|im_start|>user\n", {"<|im_end|>", "<|endoftext|>", "<|im_start|>"}),
    "harmony": (
        "<|start|>user<|message|>",
        {"<|end|>", "<|return|>", "<|call|>", "<|endoftext|>", "<|start|>"},
    ),
    "glm45": (
        "<|user|>\n",
        {"<|assistant|>", "<|system|>", "<|observation|>", "<|endoftext|>", "<|user|>"},
    ),
    "glm47": (
        "<|user|>",
        {"<|assistant|>", "<|system|>", "<|observation|>", "<|endoftext|>", "<|user|>"},
    ),
}


@pytest.mark.parametrize("name", [*TOKENS, "smollm2"])
def test_the_token_facts_of_the_papers_families(name: str, smollm2: Chat) -> None:
    chat = smollm2 if name == "smollm2" else family(name)
    header, stops = TOKENS.get(name, ("<|im_start|>user\n", {"<|im_end|>", "<|im_start|>"}))
    for mode in ("history", "live"):
        assert chat.decode(chat.user_context("Q", "A", mode)).endswith("A" + _end(name) + header)
    assert set(chat.user_stop.names.values()) == stops


def _end(name: str) -> str:
    return {"harmony": "<|end|>", "glm45": "", "glm47": ""}.get(name, "<|im_end|>\n")


@pytest.mark.parametrize("name", [*DOCUMENTED, *FAMILIES])
@pytest.mark.parametrize("system", [False, True])
def test_ids_of_long_conversations_are_those_of_transformers(name: str, system: bool) -> None:
    chat = documented(name) if name in DOCUMENTED else family(name)
    if system:
        try:
            chat.self_check(system=True)
        except TemplateError:
            assert name in ("gemma2", "instruct")
            return
    start = (SYSTEM,) if system else ()
    query = (*start, *alternating("Hello.", "Hi!", "How are you?", "Fine.", "Why is that?"))
    assert chat.answer_context(query) == rendered(chat, query, prompt=True)
    context = chat.user_context(query, "It just is so.", "history")
    for opening in ("Why?", "what about", "42", "é", "私は"):
        last = (Message("assistant", "It just is so."), Message("user", opening))
        whole = rendered(chat, (*query, *last))
        assert whole[: len(context)] == context
    live = chat.user_context(query, "It just is so.", "live")
    assert live[: len(chat.answer_context(query))] == chat.answer_context(query)


@pytest.mark.parametrize("name", [*DOCUMENTED, *FAMILIES])
def test_a_bos_stands_once(name: str) -> None:
    chat = documented(name) if name in DOCUMENTED else family(name)
    bos = chat._template.tokenizer.bos_token_id
    if bos is None or bos == chat._template.tokenizer.eos_token_id:
        return
    for ids in (chat.answer_context("Q"), chat.user_context("Q", "A", "live")):
        assert ids.count(bos) == 1
        assert ids[0] == bos


def test_system_messages_that_get_lost_are_found() -> None:
    nemo = build(Family(**{**vars(DOCUMENTED["mistral"]), "template": MISTRAL_NEMO}))
    drops = DOCUMENTED["phi4"].template.replace("messages %}", "messages if m.role != 'system' %}")
    chatglm = build(Family(**{**vars(DOCUMENTED["phi4"]), "template": drops}))
    for chat, why in (
        (documented("gemma2"), "System role not supported"),
        (chatglm, "drops.* the system message"),
        (nemo, "reorders turn 2"),
    ):
        chat.self_check()
        with pytest.raises(TemplateError, match=why):
            chat.self_check(system=True)
        with pytest.raises(TemplateError):
            chat.user_context((SYSTEM, *alternating("Q", "A", "Q")), "A", "history")


@pytest.fixture(params=[*DOCUMENTED, *FAMILIES])
def any_chat(request: pytest.FixtureRequest) -> Chat:
    name: str = request.param
    return documented(name) if name in DOCUMENTED else family(name)


@pytest.mark.slow
@QUICK
@given(data=st.data())
def test_no_special_token_enters_content_in_conversations(
    any_chat: Chat, data: st.DataObject
) -> None:
    chat = any_chat
    special = chat._template.tokenizer.all_special_tokens
    spelled = st.sampled_from([*chat._template.controls, *special, *AWKWARD])
    text = st.lists(st.one_of(spelled, TEXTS), max_size=4).map("".join)
    turns = data.draw(st.sampled_from([1, 3, 5]))
    contents = [data.draw(text) for _ in range(turns)]
    answer = data.draw(text)
    bare = alternating(*("x" * turns))
    query = alternating(*contents)
    assert controls(chat, chat.answer_context(query)) == controls(chat, chat.answer_context(bare))
    for mode in ("history", "live"):
        ids = chat.user_context(query, answer, mode)
        assert controls(chat, ids) == controls(chat, chat.user_context(bare, "x", mode))
        shown = chat.decode(ids)
        for content in (*contents, answer):
            assert content.strip() in shown


def test_more_messages_than_a_codec_has_slots_are_refused() -> None:
    with pytest.raises(TemplateError, match="131 messages is longer"):
        family("qwen").answer_context(alternating(*["x"] * 131))


def test_a_template_that_reads_parts_of_content_gets_them() -> None:
    parts = DOCUMENTED["phi4"].template.replace(
        "m.content", "m.content | map(attribute='text') | join"
    )
    chat = build(Family(**{**vars(DOCUMENTED["phi4"]), "template": parts}))
    chat.self_check(system=True)
    assert chat.decode(chat.user_context("Q", "A", "history")) == SHOWN["phi4"].history

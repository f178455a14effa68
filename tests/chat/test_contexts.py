"""Contexts: the ids that transformers gives, per family of templates."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given

from chat_templates import (
    QUICK,
    TEXTS,
    family,
    reference,
)
from userturn.chat.chat import Chat


@QUICK
@given(query=TEXTS, answer=TEXTS)
@example("", "")
@example("  padded  ", "\n\npadded\n")
@example("\x00", "\U000f0000\U000f0001\U000f0003\ue000")
def test_ids_are_those_of_transformers(chat: Chat, query: str, answer: str) -> None:
    assume(not any(text in query + answer for text in chat._template.controls))
    assert chat.answer_context(query) == reference(chat, [query], prompt=True)
    whole = reference(chat, [query, answer, "Why?"])
    context = chat.user_context(query, answer, "history")
    assert whole[: len(context)] == context
    assert chat.decode(whole).startswith(chat.decode(context))


@QUICK
@given(turn=TEXTS)
def test_a_context_and_a_turn_are_a_prefix_of_the_whole_conversation(chat: Chat, turn: str) -> None:
    """Except for turns that begin with whitespace, which may merge with the header's newline."""
    assume(turn and not turn[0].isspace() and not turn[-1].isspace())
    assume(not any(text in turn for text in chat._template.controls))
    both = chat.user_context("Q", "A", "history") + chat.encode_content(turn)
    whole = reference(chat, ["Q", "A", turn])
    assert whole[: len(both) - 1] == both[:-1]  # the last token may merge with what ends the turn
    assert chat.decode(whole).startswith(chat.decode(both))


def test_a_turn_that_begins_with_a_newline_keeps_the_header(smollm2: Chat) -> None:
    """The one exception: the whole rendering merges the two newlines; the context does not."""
    context = smollm2.user_context("Q", "A", "history")
    whole = reference(smollm2, ["Q", "A", "\n\nWhy?"])
    assert whole[: len(context)] != context
    assert smollm2.decode(context + smollm2.encode_content("\n\nWhy?")) == smollm2.decode(
        whole
    ).removesuffix("<|im_end|>\n")


EXPECTED: dict[str, dict[str, str]] = {
    "qwen": {
        "answer": "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        "history": "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n"
        "<|im_start|>user\n",
        "live": "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
        "A<|im_end|>\n<|im_start|>user\n",
        "assistant": "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n\n",
    },
    "qwen_thinking": {
        "answer": "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n<think>\n",
        "live": "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
        "A<|im_end|>\n<|im_start|>user\n",
    },
    "harmony": {
        "answer": "<|start|>system<|message|>Today is 2026-01-01.<|end|>"
        "<|start|>user<|message|>Q<|end|><|start|>assistant",
        "history": "<|start|>system<|message|>Today is 2026-01-01.<|end|>"
        "<|start|>user<|message|>Q<|end|><|start|>assistant<|channel|>final<|message|>A<|end|>"
        "<|start|>user<|message|>",
        "live": "<|start|>system<|message|>Today is 2026-01-01.<|end|>"
        "<|start|>user<|message|>Q<|end|><|start|>assistant<|channel|>final<|message|>A<|end|>"
        "<|start|>user<|message|>",
        "assistant": "<|start|>system<|message|>Today is 2026-01-01.<|end|>"
        "<|start|>user<|message|>Q<|end|><|start|>assistant<|channel|>final<|message|>A<|end|>"
        "<|start|>assistant<|channel|>final<|message|>",
    },
    "glm45": {
        "answer": "[gMASK]<sop><|user|>\nQ/nothink<|assistant|>\n<think></think>",
        "history": "[gMASK]<sop><|user|>\nQ/nothink<|assistant|>\nA<|user|>\n",
        "live": "[gMASK]<sop><|user|>\nQ/nothink<|assistant|>\n<think></think>\nA<|user|>\n",
        "assistant": "[gMASK]<sop><|user|>\nQ/nothink<|assistant|>\nA"
        "<|assistant|>\n<think></think>\n",
    },
    "glm47": {
        "answer": "[gMASK]<sop><|user|>Q<|assistant|>",
        "history": "[gMASK]<sop><|user|>Q<|assistant|>\nA<|user|>",
    },
    "llama": {
        "history": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nQ<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nA<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\n",
    },
    "instruct": {
        "answer": "<s>[INST]Q[/INST]",
        "history": "<s>[INST]Q[/INST]A</s>[INST]",
        "live": "<s>[INST]Q[/INST]A</s>[INST]",
    },
}


@pytest.mark.parametrize("name", EXPECTED)
def test_contexts_of_the_families(name: str) -> None:
    chat = family(name)
    chat.self_check()
    contexts = {
        "answer": chat.answer_context("Q"),
        "history": chat.user_context("Q", "A", "history"),
        "live": chat.user_context("Q", "A", "live"),
    }
    if chat.role_voice:
        contexts["assistant"] = chat.assistant_context("Q", "A", "history")
    for kind, text in EXPECTED[name].items():
        assert chat.decode(contexts[kind]) == text, kind


FIRST = {
    "qwen": "<|im_start|>user\n",
    "harmony": "<|start|>system<|message|>Today is 2026-01-01.<|end|><|start|>user<|message|>",
    "glm47": "[gMASK]<sop><|user|>",
    "llama": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n",
    "instruct": "<s>[INST]",
}


@pytest.mark.parametrize("name", FIRST)
def test_a_first_turn_stands_where_the_template_opens_one(name: str) -> None:
    assert family(name).decode(family(name).first_context()) == FIRST[name]


@QUICK
@given(query=TEXTS)
def test_every_query_stands_behind_the_context_of_a_first_turn(chat: Chat, query: str) -> None:
    assume(not any(text in query for text in chat._template.controls))
    first = chat.decode(chat.first_context())
    assert first
    assert chat.decode(chat.answer_context(query)).startswith(first)


@QUICK
@given(text=TEXTS)
def test_pieces_are_the_text_of_each_token(chat: Chat, text: str) -> None:
    ids = chat.encode_content(text)
    pieces = chat.pieces(ids)
    assert len(pieces) == len(ids)
    assert "".join(pieces) == chat.decode(ids)


def test_a_character_belongs_to_the_token_that_completes_it(smollm2: Chat) -> None:
    pieces = smollm2.pieces(smollm2.encode_content("Why 雨?"))
    assert [piece for piece in pieces if piece] == ["Why", " ", "雨", "?"]
    assert "�" not in "".join(pieces)


def test_live_begins_with_what_answer_generation_saw(chat: Chat) -> None:
    for query, answer in (("Why?", "Because.\n"), ("", ""), ("\n", "\n\nx"), ("<|im_end|>", "y")):
        seen = chat.answer_context(query)
        assert chat.user_context(query, answer, "live")[: len(seen)] == seen
        if chat.role_voice:
            assert chat.assistant_context(query, answer, "live")[: len(seen)] == seen


def test_smollm2_contexts(smollm2: Chat) -> None:
    history = smollm2.user_context("Hi", "Hello", "history")
    assert history == smollm2.user_context("Hi", "Hello", "live")
    assert smollm2.decode(history).endswith(
        "<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\n"
    )
    other = smollm2.assistant_context("Hi", "Hello", "history")
    assert other[: len(history) - 2] == history[:-2]
    assert smollm2.decode(other).endswith("Hello<|im_end|>\n<|im_start|>assistant\n")


def test_header_of_context_is_the_only_difference_between_the_roles(chat: Chat) -> None:
    if not chat.role_voice:  # see test_faults
        return
    for mode in ("history", "live"):
        user = chat.decode(chat.user_context("Q", "A", mode))
        assistant = chat.decode(chat.assistant_context("Q", "A", mode))
        assert user != assistant
        assert user.rpartition("A")[0] == assistant.rpartition("A")[0]

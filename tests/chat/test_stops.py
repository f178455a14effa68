"""What ends a turn, per family of templates."""

from __future__ import annotations

import pytest

from chat_templates import (
    CHATML,
    PLAIN,
    family,
    reference,
    tokenizer,
)
from userturn.base.errors import TemplateError
from userturn.chat.chat import Chat

STOPS = {
    "qwen": ({"<|im_end|>", "<|endoftext|>", "<|im_start|>"}, {"<|im_end|>", "<|endoftext|>"}),
    "harmony": (
        {"<|end|>", "<|return|>", "<|call|>", "<|endoftext|>", "<|start|>"},
        {"<|return|>", "<|call|>", "<|endoftext|>"},
    ),
    "glm45": (
        {"<|assistant|>", "<|system|>", "<|observation|>", "<|endoftext|>", "<|user|>"},
        {"<|system|>", "<|observation|>", "<|endoftext|>", "<|user|>"},
    ),
    "llama": ({"<|eot_id|>", "<|start_header_id|>"}, {"<|eot_id|>"}),
    "instruct": ({"[/INST]", "[INST]", "</s>"}, {"</s>", "[INST]"}),
}


@pytest.mark.parametrize("name", STOPS)
def test_stop_sets_of_the_families(name: str) -> None:
    chat = family(name)
    for stop, expected in zip((chat.user_stop, chat.answer_stop), STOPS[name], strict=True):
        assert set(stop.names.values()) == expected
        assert list(stop.ids) == sorted(stop.names) == list(stop.reasons)
        assert all(stop.reasons.values())


def test_smollm2_stop_set(smollm2: Chat) -> None:
    assert smollm2.user_stop.names == {1: "<|im_start|>", 2: "<|im_end|>"}
    assert smollm2.user_stop.reasons[2] == "eos; ends a user turn in the template"
    assert smollm2.answer_stop.ids == (2,)


def test_extra_stop_is_one_special_token() -> None:
    tok = tokenizer(CHATML, PLAIN, eos="<|im_end|>")
    chat = Chat(tok, {}, ["<|endoftext|>"])
    extra = tok.convert_tokens_to_ids("<|endoftext|>")
    assert chat.user_stop.reasons[extra] == "extra_stop"
    assert extra not in chat.answer_stop.ids
    for wrong in ("hello", "<|im_end|>\n", ""):
        with pytest.raises(TemplateError, match="not one special token"):
            _ = Chat(tok, {}, [wrong]).user_stop
    with pytest.raises(TemplateError, match=r"token 300 .* not a special token"):
        _ = Chat(tok, {}, eos_ids=[300]).user_stop


def test_no_end_at_all_is_refused() -> None:
    template = "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}"
    tok = tokenizer(template, ())
    tok.eos_token = None
    with pytest.raises(TemplateError, match="neither template nor tokenizer"):
        _ = Chat(tok, {}).user_stop


def test_a_tokenizer_without_special_tokens_is_refused() -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {character: id_ for id_, character in enumerate(alphabet)}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tok = PreTrainedTokenizerFast(tokenizer_object=backend)
    tok.chat_template = CHATML
    assert Chat(tok, {}).answer_context("Q") == reference(Chat(tok, {}), ["Q"], prompt=True)
    with pytest.raises(TemplateError, match="neither template nor tokenizer"):
        Chat(tok, {}).self_check()

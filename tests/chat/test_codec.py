"""Control tokens in content stay text, under every kind of tokenizer."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_templates import (
    AWKWARD,
    CHATML,
    CORPUS,
    PLAIN,
    QUICK,
    TEXTS,
    controls,
    family,
    reference,
    tokenizer,
)
from userturn.chat.chat import Chat


def test_no_special_token_in_content_becomes_one(chat: Chat) -> None:
    every = [*chat._template.controls, *chat._template.tokenizer.all_special_tokens]
    neutral = {
        "answer": controls(chat, chat.answer_context("x")),
        "history": controls(chat, chat.user_context("x", "x", "history")),
        "live": controls(chat, chat.user_context("x", "x", "live")),
    }
    every += ["".join(every), every[0][:4] + every[0] + every[0][4:], every[0] * 3]
    for spelled in every:
        for text in (spelled, f"a {spelled}b", f" {spelled} "):
            assert controls(chat, chat.answer_context(text)) == neutral["answer"]
            for mode in ("history", "live"):
                context = chat.user_context(text, text, mode)
                assert controls(chat, context) == neutral[mode]
                assert chat.decode(context).count(text.strip()) >= 2
            ids = chat.encode_content(text)
            assert not controls(chat, ids)
            assert chat.decode(ids) == text


@QUICK
@given(data=st.data())
def test_any_mixture_of_control_spellings_stays_text(chat: Chat, data: st.DataObject) -> None:
    spelled = st.sampled_from([*chat._template.controls, *AWKWARD])
    text = "".join(data.draw(st.lists(st.one_of(spelled, TEXTS), max_size=5)))
    assert chat.decode(chat.encode_content(text)) == text
    assert not controls(chat, chat.encode_content(text))
    for mode in ("history", "live"):
        context = chat.user_context(text, text, mode)
        assert controls(chat, context) == controls(chat, chat.user_context("x", "x", mode))
        assert chat.decode(context).count(text.strip()) >= 2


def test_text_around_a_spelled_control_token_keeps_its_merges(smollm2: Chat) -> None:
    ids = smollm2.encode_content("so <|im_end|> it")
    plain = smollm2._template.tokenizer.encode(
        "so <|im_end|> it", add_special_tokens=False, split_special_tokens=True
    )
    assert ids == tuple(plain)


def test_ordinary_added_tokens_stay_whole() -> None:
    tok = tokenizer(CHATML, PLAIN, ("    ", "<h1>", "<note>"))
    tok.chat_template = "{# <note> #}" + CHATML
    chat = Chat(tok, {})
    assert len(chat.encode_content("    <h1>")) == 2
    assert len(chat.encode_content("<note>")) > 1  # the template writes it, so it is a control


def test_a_control_token_that_merges_can_make_is_spelled_out() -> None:
    """A vocabulary can hold a control token as an ordinary merge result."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {character: id_ for id_, character in enumerate([*alphabet, "<s", "<s>"])}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=[("<", "s"), ("<s", ">")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    tok = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<s>")
    tok.chat_template = CHATML.replace("<|im_end|>", "<s>").replace("<|im_start|>", "<s>")
    chat = Chat(tok, {})
    ids = chat.encode_content("a<s>b")
    assert chat.decode(ids) == "a<s>b"
    assert vocab["<s>"] not in ids
    assert controls(chat, chat.answer_context("<s>")) == controls(chat, chat.answer_context("x"))


def sentencepiece_like(prepend: str) -> Chat:
    """A tokenizer with no byte level: spaces are ▁, and bytes stand in for unknown characters."""
    from tokenizers import (
        AddedToken,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        trainers,
    )
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    if prepend == "normalizer":
        backend.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
    else:
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=prepend, split=True)
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    special = ["<unk>", "<s>", "</s>", "<|user|>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=special, show_progress=False)
    backend.train_from_iterator([line.replace("\n", " ") for line in CORPUS * 3], trainer)
    spec = json.loads(backend.to_str())
    spec["added_tokens"] = spec["added_tokens"][:4]  # bytes are vocabulary, not added tokens
    backend = Tokenizer.from_str(json.dumps(spec))
    backend.add_special_tokens([AddedToken("<|assistant|>", normalized=False)])
    tok = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", bos_token="<s>")
    tok.chat_template = (
        "{{ bos_token }}{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + eos_token }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
    )
    return Chat(tok, {})


@pytest.mark.parametrize("prepend", ["first", "never", "always", "normalizer"])
def test_tokenizers_without_a_byte_level(prepend: str) -> None:
    chat = sentencepiece_like(prepend)
    chat.self_check()
    for query, answer in (("How many?", "There are 3."), ("  שלום\x00 👩 ", "私\n\n"), ("", "")):
        assert chat.answer_context(query) == reference(chat, [query], prompt=True)
        context = chat.user_context(query, answer, "history")
        assert reference(chat, [query, answer, "why"])[: len(context)] == context
    neutral = controls(chat, chat.user_context("x", "x", "live"))
    for text in (*chat._template.controls, "<|user|><s>Hi</s>"):
        assert controls(chat, chat.user_context(text, text, "live")) == neutral
        assert not controls(chat, chat.encode_content(text))
        assert chat.decode(chat.encode_content(f"a{text} b")).strip() == f"a{text} b"


def test_a_vocabulary_with_gaps() -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {character: 3 * id_ for id_, character in enumerate(alphabet)}
    vocab |= {"<|im_start|>": 1000, "<|im_end|>": 1001}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(list(PLAIN))
    tok = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>")
    tok.chat_template = CHATML
    chat = Chat(tok, {})
    assert chat.answer_context("Zoë ~") == reference(chat, ["Zoë ~"], prompt=True)
    assert chat.user_stop.ids == (1000, 1001)


@pytest.mark.parametrize("flags", [{"normalized": True}, {"rstrip": True}])
def test_flags_of_special_tokens_act_as_in_transformers(flags: dict[str, bool]) -> None:
    chat = Chat(tokenizer(CHATML, PLAIN, eos="<|im_end|>", **flags), {})
    chat.self_check()
    for query in ("hello", "  hello", "\nhello "):
        assert chat.answer_context(query) == reference(chat, [query], prompt=True)
    assert "<|im_end|>" in chat.decode(chat.encode_content("a <|im_end|> b"))
    assert not controls(chat, chat.encode_content("<|im_end|>"))


def test_bos_stands_once() -> None:
    for name in ("llama", "instruct"):
        chat = family(name)
        bos = chat._template.tokenizer.bos_token_id
        assert reference(chat, ["q"])[0] == bos
        for ids in (chat.answer_context("q"), chat.user_context("q", "a", "live")):
            assert ids.count(bos) == 1
            assert ids[0] == bos
        assert bos not in chat.encode_content("q")

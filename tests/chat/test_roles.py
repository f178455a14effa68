from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from chat_templates import BROKEN, CHATML, CORPUS, FAMILIES, tokenizer
from userturn.base.errors import TemplateError
from userturn.chat.roles import OPENINGS, Chat
from userturn.study import models

quick = settings(
    max_examples=25,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PLAIN = "<|im_start|>", "<|im_end|>"
# SmolLM2's vocabulary lacks some bytes: of planes that Unicode has not filled, and six controls.
characters = st.characters(
    exclude_categories=["Cs", "Cn", "Co"], exclude_characters="\x04\x06\x13\x14\x16\x1d"
)
texts = st.text(characters, max_size=60)
awkward = [
    "", " ", "\n\n", "\x00", "a\x00b", "שלום, מה שלומך?", "مرحبا", "👩‍👩‍👧🏽", "  two  spaces  ",
    "\r\n", "\U000f0000", "\U000f0001\ue000", "{{ messages }}", "{% raw %}", "<|im", "CONTENT",
]  # fmt: skip


@cache
def family(name: str) -> Chat:
    made = FAMILIES[name]
    tok = tokenizer(made.template, made.special, made.plain, made.eos, made.bos)
    ids = [tok.convert_tokens_to_ids(text) for text in made.eos_ids]
    return Chat(tok, made.kwargs, (), made.strip_suffixes, ids)


@pytest.fixture(scope="session")
def smollm2(smollm2_dir: Path) -> Chat:
    return Chat.load(smollm2_dir, models.Chat())


@pytest.fixture(params=[*FAMILIES, "smollm2"])
def chat(request: pytest.FixtureRequest) -> Chat:
    if request.param == "smollm2":
        made = request.getfixturevalue("smollm2")
        assert isinstance(made, Chat)
        return made
    return family(request.param)


def reference(chat: Chat, contents: list[str], *, prompt: bool = False) -> tuple[int, ...]:
    """What transformers makes of a conversation."""
    roles = ["user", "assistant", "user"]
    messages = [{"role": r, "content": c} for r, c in zip(roles, contents, strict=False)]
    return tuple(
        chat._tokenizer.apply_chat_template(
            messages,
            tokenize=True,
            return_dict=False,
            add_generation_prompt=prompt,
            **chat._template_kwargs,
        )
    )


def controls(chat: Chat, ids: tuple[int, ...]) -> list[int]:
    return [id_ for id_ in ids if id_ in chat.control_ids]


def names(chat: Chat, ids: tuple[int, ...]) -> list[str]:
    return chat._tokenizer.convert_ids_to_tokens(list(controls(chat, ids)))


# --- the same ids as transformers ---------------------------------------------------------------


@quick
@given(query=texts, answer=texts)
@example("", "")
@example("  padded  ", "\n\npadded\n")
@example("\x00", "\U000f0000\U000f0001\U000f0003\ue000")
def test_ids_are_those_of_transformers(chat: Chat, query: str, answer: str) -> None:
    assume(not any(text in query + answer for text in chat._controls))
    assert chat.answer_context(query) == reference(chat, [query], prompt=True)
    whole = reference(chat, [query, answer, "Why?"])
    context = chat.user_context(query, answer, "history")
    assert whole[: len(context)] == context
    assert chat.decode(whole).startswith(chat.decode(context))


@quick
@given(turn=texts)
def test_a_context_and_a_turn_are_a_prefix_of_the_whole_conversation(chat: Chat, turn: str) -> None:
    """Except for turns that begin with whitespace, which may merge with the header's newline."""
    assume(turn and not turn[0].isspace() and not turn[-1].isspace())
    assume(not any(text in turn for text in chat._controls))
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


# --- control tokens in content ------------------------------------------------------------------


def test_no_special_token_in_content_becomes_one(chat: Chat) -> None:
    every = [*chat._controls, *chat._tokenizer.all_special_tokens]
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


@quick
@given(data=st.data())
def test_any_mixture_of_control_spellings_stays_text(chat: Chat, data: st.DataObject) -> None:
    spelled = st.sampled_from([*chat._controls, *awkward])
    text = "".join(data.draw(st.lists(st.one_of(spelled, texts), max_size=5)))
    assert chat.decode(chat.encode_content(text)) == text
    assert not controls(chat, chat.encode_content(text))
    for mode in ("history", "live"):
        context = chat.user_context(text, text, mode)
        assert controls(chat, context) == controls(chat, chat.user_context("x", "x", mode))
        assert chat.decode(context).count(text.strip()) >= 2


def test_text_around_a_spelled_control_token_keeps_its_merges(smollm2: Chat) -> None:
    ids = smollm2.encode_content("so <|im_end|> it")
    plain = smollm2._tokenizer.encode(
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
    for text in (*chat._controls, "<|user|><s>Hi</s>"):
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
        bos = chat._tokenizer.bos_token_id
        assert reference(chat, ["q"])[0] == bos
        for ids in (chat.answer_context("q"), chat.user_context("q", "a", "live")):
            assert ids.count(bos) == 1
            assert ids[0] == bos
        assert bos not in chat.encode_content("q")


# --- contexts per family -----------------------------------------------------------------------

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
    found = {
        "answer": chat.answer_context("Q"),
        "history": chat.user_context("Q", "A", "history"),
        "live": chat.user_context("Q", "A", "live"),
        "assistant": chat.assistant_context("Q", "A", "history"),
    }
    for kind, text in EXPECTED[name].items():
        assert chat.decode(found[kind]) == text, kind


def test_live_begins_with_what_answer_generation_saw(chat: Chat) -> None:
    for query, answer in (("Why?", "Because.\n"), ("", ""), ("\n", "\n\nx"), ("<|im_end|>", "y")):
        seen = chat.answer_context(query)
        assert chat.user_context(query, answer, "live")[: len(seen)] == seen
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
    for mode in ("history", "live"):
        user = chat.decode(chat.user_context("Q", "A", mode))
        assistant = chat.decode(chat.assistant_context("Q", "A", mode))
        assert user != assistant
        assert user.rpartition("A")[0] == assistant.rpartition("A")[0]


# --- stop sets ---------------------------------------------------------------------------------

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


# --- what the self-check refuses ----------------------------------------------------------------


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


# --- awkward texts ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", awkward)
def test_awkward_texts(chat: Chat, text: str) -> None:
    assert text.strip() in chat.decode(chat.answer_context(text))
    assert text.strip() in chat.decode(chat.user_context(text, text, "history"))
    assert text in chat.decode(chat.user_context(text, text, "live"))
    assert chat.decode(chat.encode_content(text)) == text


def test_long_text(smollm2: Chat) -> None:
    query = "How many apples? " * 6000
    assert query in smollm2.decode(smollm2.user_context(query, "x", "history"))


def test_half_a_surrogate_pair_is_a_clear_error(smollm2: Chat) -> None:
    with pytest.raises(TemplateError, match="surrogate"):
        smollm2.answer_context("\ud83d")


# --- the rest ----------------------------------------------------------------------------------


def test_answer_text_leaves_reasoning_out() -> None:
    harmony = family("harmony")._tokenizer
    said = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>42"
    ids = harmony.encode(said, add_special_tokens=False)
    assert family("harmony").answer_text(ids) == "42"
    assert family("harmony").answer_text(ids[:5]) == ""
    for name, thought in (
        ("qwen_thinking", "Hm.\n</think>\n\n42"),
        ("glm47", "<think>Hm.</think>\n42"),
        ("qwen", "42"),
        ("glm45", "\n42"),
    ):
        ids = family(name)._tokenizer.encode(thought, add_special_tokens=False)
        assert family(name).answer_text(ids).strip() == "42", name


def test_strip() -> None:
    cut = family("glm45").strip
    assert cut("And then?/nothink") == ("And then?", True)
    assert cut("And then? /nothink/nothink\n") == ("And then? ", True)
    assert cut("/nothink what?") == ("/nothink what?", False)
    assert cut("") == ("", False)
    assert family("qwen").strip("x/nothink") == ("x/nothink", False)  # noqa: B005


def test_template_hash_follows_template_and_arguments() -> None:
    tok = tokenizer(CHATML, PLAIN, eos="<|im_end|>")
    hashes = {Chat(tok, kwargs).template_hash for kwargs in ({}, {"a": 1}, {"a": 2}, {"b": 1})}
    assert len(hashes) == 4
    assert Chat(tok, {"a": 1, "b": 2}).template_hash == Chat(tok, {"b": 2, "a": 1}).template_hash
    assert all(len(value) == 64 for value in hashes)


def test_load_reads_every_end_of_sequence_id(tmp_path: Path) -> None:
    made = FAMILIES["harmony"]
    tok = tokenizer(made.template, made.special, made.plain, made.eos)
    tok.save_pretrained(tmp_path)
    settings_ = models.Chat(template_kwargs={"today": "2026-01-01"})
    bare = Chat.load(tmp_path, settings_)
    assert set(bare.answer_stop.names.values()) == {"<|return|>"}
    ids: Any = [tok.convert_tokens_to_ids(text) for text in made.eos_ids]
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": ids}))
    assert set(Chat.load(tmp_path, settings_).answer_stop.names.values()) == set(made.eos_ids)
    (tmp_path / "generation_config.json").write_text("[")
    with pytest.raises(TemplateError, match=r"generation_config\.json"):
        Chat.load(tmp_path, settings_)


def test_load_errors_name_the_directory(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="nowhere"):
        Chat.load(tmp_path / "nowhere", models.Chat())
    with pytest.raises(TemplateError, match=str(tmp_path)):
        Chat.load(tmp_path, models.Chat())
    tok = tokenizer(CHATML, PLAIN, eos="<|im_end|>")
    tok.save_pretrained(tmp_path)
    (tmp_path / "chat_template.jinja").unlink()
    with pytest.raises(TemplateError, match="no chat template"):
        Chat.load(tmp_path, models.Chat())
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(TemplateError, match="cannot be loaded"):
        Chat.load(tmp_path, models.Chat())


def test_importing_the_module_loads_no_heavy_package() -> None:
    code = (
        "import sys, userturn.chat.roles, userturn.commands.show;"
        "print([m for m in ('torch', 'transformers', 'tokenizers', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

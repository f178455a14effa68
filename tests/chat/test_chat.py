"""The rest of a chat: awkward texts, answers without reasoning, identity, loading."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chat_templates import (
    AWKWARD,
    CHATML,
    FAMILIES,
    PLAIN,
    family,
    tokenizer,
)
from userturn.base.errors import TemplateError
from userturn.chat.chat import Chat
from userturn.study import models


@pytest.mark.parametrize("text", AWKWARD)
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


def test_answer_text_leaves_reasoning_out() -> None:
    harmony = family("harmony")._template.tokenizer
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
        ids = family(name)._template.tokenizer.encode(thought, add_special_tokens=False)
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


@pytest.mark.parametrize("ids", ['"x"', "[1, null]", "-1", "true", "1.5", "{}"])
def test_ends_that_are_no_token_numbers_are_refused(tmp_path: Path, ids: str) -> None:
    tokenizer(CHATML, PLAIN, eos="<|im_end|>").save_pretrained(tmp_path)
    (tmp_path / "generation_config.json").write_text(f'{{"eos_token_id": {ids}}}')
    with pytest.raises(TemplateError, match=r"generation_config\.json: eos_token_id is .*mend it"):
        Chat.load(tmp_path, models.Chat())


@pytest.mark.parametrize("content", [b'{"eos": "\xff"}', b"[" * 100_000, b"[]", b"9" * 5000])
def test_settings_that_are_no_json_object_are_refused(tmp_path: Path, content: bytes) -> None:
    tokenizer(CHATML, PLAIN, eos="<|im_end|>").save_pretrained(tmp_path)
    (tmp_path / "generation_config.json").write_bytes(content)
    with pytest.raises(TemplateError, match=r"generation_config\.json: (is not|cannot be read)"):
        Chat.load(tmp_path, models.Chat())


def test_code_of_a_tokenizer_is_not_run_and_nobody_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "mark"
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    (tmp_path / "evil.py").write_text(f"open({str(mark)!r}, 'w')\nclass Evil: pass\n")
    settings = {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", None]}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(TemplateError, match=r"auto_map in tokenizer_config\.json.*never run"):
        Chat.load(tmp_path, models.Chat())
    assert not mark.exists()


def test_importing_the_module_loads_no_heavy_package() -> None:
    code = (
        "import sys, userturn.chat.chat, userturn.commands.show;"
        "print([m for m in ('torch', 'transformers', 'tokenizers', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

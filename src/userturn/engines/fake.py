"""The fake engine's model: a folder without weights, and the generator that a study names for it.

It has one token per byte, so that text and ids convert without a tokenizer:

    source: {type: generator, module: userturn.engines.fake, version: ..., seed: 0}
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ENDOFTEXT, IM_START, IM_END = 256, 257, 258
SPECIALS = {ENDOFTEXT: "<|endoftext|>", IM_START: "<|im_start|>", IM_END: "<|im_end|>"}
MAX_MODEL_LEN = 8192
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def make_model(path: Path, seed: int) -> None:
    """Save a model folder without weights: byte-level tokenizer, ChatML template, configuration.

    The same seed gives the same bytes; another seed gives another configuration, hence another
    weights identity and other completions.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    path.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE(vocab=_byte_alphabet(), merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(text, special=True, normalized=False) for text in SPECIALS.values()]
    )
    tokenizer.save(str(path / "tokenizer.json"))
    ends = {"bos_token_id": IM_START, "eos_token_id": IM_END, "pad_token_id": ENDOFTEXT}
    sizes = {"vocab_size": 256 + len(SPECIALS), "max_position_embeddings": MAX_MODEL_LEN}
    configurations: dict[str, dict[str, Any]] = {
        "config.json": {"model_type": "llama", "userturn_fake_seed": seed, **sizes, **ends},
        "generation_config.json": ends,
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": SPECIALS[IM_START],
            "eos_token": SPECIALS[IM_END],
            "pad_token": SPECIALS[ENDOFTEXT],
            "model_max_length": MAX_MODEL_LEN,
            "clean_up_tokenization_spaces": False,
        },
    }
    for name, configuration in configurations.items():
        text = json.dumps(configuration, indent=2, sort_keys=True)
        (path / name).write_text(text + "\n", encoding="utf-8")
    (path / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")


def _byte_alphabet() -> dict[str, int]:
    """Vocabulary of byte-level BPE, whose ids are the bytes.

    Printable bytes stand for themselves, the others for characters from U+0100 on: GPT-2's rule.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    spare = iter(range(0x100, 0x200))
    return {chr(byte if byte in printable else next(spare)): byte for byte in range(256)}

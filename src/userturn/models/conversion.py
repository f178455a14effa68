"""GGUF files as Hugging Face directories."""

from __future__ import annotations

from contextlib import redirect_stderr
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from userturn.base.errors import SourceError

GGUF_CONVERTER = 1  # raise it when the conversion changes what it writes


def convert_gguf(path: Path, target: Path) -> None:
    """Write a GGUF file as a float32 Hugging Face directory, tokenizer and chat template included.

    Quantised tensors are expanded to the values they stand for; nothing is rounded on the way.

    Raises:
        SourceError: The file is damaged, or its architecture is not one that transformers reads.
    """
    try:
        import gguf
    except ImportError:
        raise SourceError(f"{path.name}: reading GGUF needs the package gguf; install it") from None
    import torch
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where = path.parent
    options = {"gguf_file": path.name, "local_files_only": True, "trust_remote_code": False}
    # transformers reads the whole file anew at each of its steps, seconds each time: share one.
    reader = cache(gguf.GGUFReader)
    try:
        with patch.object(gguf, "GGUFReader", reader), redirect_stderr(StringIO()):  # its bars
            split_digits, context_length = _read_metadata(reader(str(path)).fields)
            model = AutoModelForCausalLM.from_pretrained(
                where,
                quantization_config=GgufConfig(dequantize=True),
                dtype=torch.float32,
                **options,
            )
            tokenizer = AutoTokenizer.from_pretrained(where, **options)
    except (ValueError, KeyError, OSError, NotImplementedError) as error:
        raise SourceError(f"{path.name}: cannot be read as a GGUF chat model ({error})") from None
    if split_digits:
        # llama.cpp's pre-tokenizer "smollm" splits numbers into digits before the byte-level
        # pattern; transformers' conversion knows the pattern only, and "12" would get a token that
        # the model never saw in training.
        tokenizer.backend_tokenizer.pre_tokenizer = Sequence(
            [
                Digits(individual_digits=True),
                ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
    if context_length:
        tokenizer.model_max_length = context_length
    with redirect_stderr(StringIO()):
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)


def _read_metadata(fields: Any) -> tuple[bool, int | None]:
    """Whether the tokenizer splits numbers into digits, and the context length in tokens."""

    def value(key: str) -> Any:
        return fields[key].contents() if key in fields else None

    context_length = value(f"{value('general.architecture')}.context_length")
    return value("tokenizer.ggml.pre") == "smollm", context_length

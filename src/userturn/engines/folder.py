"""What a Hugging Face model folder says of itself. It comes from anywhere, so nothing is trusted.

A folder may bring Python code of its own, named under `auto_map`. It is never run: everything that
loads a model here says `trust_remote_code=False`, which also keeps transformers from asking.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from userturn.base.errors import EngineError

SETTINGS = ("config.json", "tokenizer_config.json")
"""Files that can name code."""


def read(path: Path) -> dict[str, Any]:
    """A JSON file of a model folder.

    Raises:
        EngineError: It cannot be read, or holds no object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise EngineError(
            f"{path}: cannot be read ({error}); is this a Hugging Face model folder?"
        ) from None
    if not isinstance(content, dict):
        raise EngineError(f"{path}: is not a JSON object; fetch the model again")
    return content


def eos_ids(folder: Path) -> frozenset[int]:
    """End-of-sequence ids of a model: `generation_config.json` where it names any, else `config`.

    Raises:
        EngineError: The folder holds no readable configuration.
    """
    if own := generation_eos_ids(folder):
        return own
    path = folder / "config.json"
    config = read(path)
    # A multimodal model keeps its language model's configuration one level down.
    inner = config.get("text_config")
    below = inner.get("eos_token_id") if isinstance(inner, dict) else None
    return _ids(config.get("eos_token_id", below), path)


def generation_eos_ids(folder: Path) -> frozenset[int]:
    """End-of-sequence ids of `generation_config.json`; none where it is absent or names none.

    Raises:
        EngineError: The file cannot be read.
    """
    path = folder / "generation_config.json"
    return _ids(read(path).get("eos_token_id"), path) if path.exists() else frozenset()


def why(error: Exception, folder: Path) -> str:
    """What a package says of a model that it cannot run, in one line.

    Args:
        error: What it raised.
        folder: The model's folder.
    """
    if "trust_remote_code" in str(error) and (named := _naming_code(folder)):
        return (
            f"the model needs Python code of its own (auto_map in {named}), which is never run; "
            "take a model that the package itself knows"
        )
    return f"{type(error).__name__}: {_said(error)}"


def _naming_code(folder: Path) -> str:
    """The first file that names code; empty where none does."""
    for name in SETTINGS:
        if (folder / name).is_file() and "auto_map" in read(folder / name):
            return name
    return ""


def _said(error: Exception) -> str:
    """First line of an exception's text; of pydantic's, whose first line only counts, the reasons.

    vLLM checks its arguments with pydantic.
    """
    problems = getattr(error, "errors", None)
    if type(error).__name__ == "ValidationError" and callable(problems):
        lines = [str(problem.get("msg", problem)).strip() for problem in problems()]
        return "; ".join(line.splitlines()[0].removeprefix("Value error, ") for line in lines)
    return (str(error).strip() or repr(error)).splitlines()[0]


def _ids(value: Any, path: Path) -> frozenset[int]:
    ids = value if isinstance(value, list) else [] if value is None else [value]
    if not all(type(id_) is int and id_ >= 0 for id_ in ids):
        raise EngineError(
            f"{path}: eos_token_id is {value!r}, not a token's number or a list of them; mend it, "
            "or fetch the model again"
        )
    return frozenset(ids)

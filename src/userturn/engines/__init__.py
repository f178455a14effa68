"""Engines: one module per way to run a model; `create` picks the study's."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from userturn.base.errors import EngineError
from userturn.engines.base import Engine, ScoreRequest
from userturn.study.models import EngineName, EngineParams

__all__ = ["Engine", "ScoreRequest", "create", "resolve"]


def resolve(name: EngineName) -> str:
    """Engine that a name stands for here: `auto` is vllm where it is installed, else transformers.

    Raises:
        EngineError: The engine's package is not installed.
    """
    if name == "auto":
        return "vllm" if find_spec("vllm") else "transformers"
    needed = {"vllm": "vllm", "transformers": "torch"}.get(name)
    if needed and not find_spec(needed):
        raise EngineError(
            f"engine.name: '{name}' needs the package {needed}, which is not installed; install "
            "`userturn[cpu]` or, for GPUs, `userturn[gpu]`"
        )
    return name


def constrains(name: EngineName) -> bool:
    """Whether an engine can hold completions to a JSON schema; transformers cannot."""
    return resolve(name) in ("vllm", "fake")


def create(params: EngineParams, model_dir: Path, *, constrained: bool = False) -> Engine:
    """Engine for the model in a Hugging Face folder; `load` it before use.

    Args:
        params: How the model runs.
        model_dir: The folder.
        constrained: Requests will hold a `json_schema`, for which vLLM has to load the tokenizer.

    Raises:
        EngineError: As `resolve`.
    """
    name = resolve(params.name)
    if name == "vllm":
        from userturn.engines.vllm import VllmEngine

        return VllmEngine(params, model_dir, constrained=constrained)
    if name == "openai":
        from userturn.engines.openai import OpenaiEngine

        return OpenaiEngine(params, model_dir)
    if name == "fake":
        from userturn.engines.fake import FakeEngine

        return FakeEngine(params, model_dir)
    from userturn.engines.transformers import TransformersEngine

    return TransformersEngine(params, model_dir)

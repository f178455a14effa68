"""Engines: a module of `engines/kinds` per way to run a model; `create` picks the study's."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from userturn.base import registry
from userturn.base.errors import EngineError
from userturn.engines.base import Engine, EngineKind
from userturn.study.models import ENGINES, EngineName, EngineParams


def resolve(name: EngineName) -> str:
    """Engine that a name stands for here: `auto` is vllm where it is installed, else transformers.

    Raises:
        EngineError: The engine's package is not installed.
    """
    if name == "auto":
        return "vllm" if find_spec("vllm") else "transformers"
    package = _kind(name).package
    if package and not find_spec(package):
        raise EngineError(
            f"engine.name: '{name}' needs the package {package}, which is not installed; install "
            "`userturn[cpu]` or, for GPUs, `userturn[gpu]`"
        )
    return name


def constrains(name: EngineName) -> bool:
    """Whether an engine can hold completions to a JSON schema."""
    return _kind(resolve(name)).constrains


def create(params: EngineParams, model_dir: Path, *, constrained: bool = False) -> Engine:
    """Engine for the model in a Hugging Face folder; `load` it before use.

    Args:
        params: How the model runs.
        model_dir: The folder.
        constrained: Requests will hold a `json_schema`, for which vLLM has to load the tokenizer.

    Raises:
        EngineError: As `resolve`.
    """
    return _kind(resolve(params.name)).make(params, model_dir, constrained)


def _kind(name: str) -> EngineKind:
    kind: EngineKind = registry.load(ENGINES, name, "ENGINE")
    return kind

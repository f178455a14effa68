"""vLLM's batch-invariant mode: whether a model can have it here. Read off vLLM, not assumed.

In that mode a completion does not depend on what else is in the batch, so it can be regenerated bit
by bit on a GPU. vLLM has it as an environment variable, for GPUs, and refuses a model whose
attention or experts lack it while it loads. What can be told before is told here, from the source
of the vLLM that is installed and from the model's config.json: importing vLLM first would freeze
the variable's value in some of its modules, and starting CUDA first would change how its workers
start.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from userturn.engines import devices
from userturn.engines.folder import read

VARIABLE = "VLLM_BATCH_INVARIANT"
SUPPORT = "def supports_batch_invariance"
"""Method by which one of vLLM's attention backends says that it has the mode; none by default."""
BACKENDS = "v1/attention/backends"
ATTENTION = {"attention", "full_attention", "sliding_attention", "chunked_attention"}
"""Layers that are attention, as config.json names them; others carry a state."""
RECURRENT_KEYS = ("mamba_", "ssm_", "linear_", "hybrid_override_pattern", "conv_L_cache")
LEAST_CAPABILITY = 8.0
"""Compute capability of the oldest GPUs for which vLLM's mode has kernels."""


@dataclass(frozen=True, slots=True)
class Invariance:
    """Whether the mode is asked for, and why not."""

    asked: bool
    lacking: str = ""

    @property
    def fact(self) -> str:
        """As provenance records it."""
        return "asked for" if self.asked else f"not asked for: {self.lacking}"


def invariance(model_dir: Path) -> Invariance:
    """Whether a model is to run in batch-invariant mode here; the environment can decide it.

    Raises:
        EngineError: The model's config.json cannot be read.
    """
    given = os.environ.get(VARIABLE)
    lacking = of_device()
    if not lacking and given is not None:
        return Invariance(given == "1", f"{VARIABLE} is {given}")
    lacking = lacking or of_vllm() or of_model(read(model_dir / "config.json"), _backends())
    return Invariance(not lacking, lacking)


def of_device() -> str:
    """What the device lacks; empty where it lacks nothing."""
    import torch

    if torch.version.cuda is None or not devices.offered():
        return "vLLM has it for GPUs only"
    if capability() < LEAST_CAPABILITY:
        return "the GPUs are older than its kernels, or do not say how old they are"
    return ""


def capability() -> float:
    """Compute capability of this machine's oldest GPU; 0 where the driver does not say."""
    query = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=60, check=True)
        return min(map(float, done.stdout.split()), default=0.0)
    except (OSError, subprocess.SubprocessError, ValueError):
        return 0.0


def of_vllm() -> str:
    """What the installed vLLM lacks."""
    package = _package()
    if package is None:
        return "vLLM is not installed"
    if VARIABLE not in (package / "envs.py").read_text(encoding="utf-8"):
        return "this release of vLLM has no such mode"
    return ""


def of_model(config: Mapping[str, Any], backends: Path | None) -> str:
    """What vLLM lacks for a model.

    Args:
        config: Its config.json.
        backends: Folder of vLLM's attention backends.
    """
    inner = config.get("text_config")
    settings: Mapping[str, Any] = inner if isinstance(inner, Mapping) else config
    if is_recurrent(settings) and not recurrent_support(backends):
        return "this release of vLLM lacks it for recurrent layers"
    quantised = "quantization_config" in config or "quantization_config" in settings
    if quantised and any(key in settings for key in ("num_experts", "num_local_experts")):
        return "which kernels run quantised experts is decided only while they load"
    return ""


def is_recurrent(settings: Mapping[str, Any]) -> bool:
    """Whether a model has layers that are not attention."""
    layers = settings.get("layer_types")
    if isinstance(layers, list):
        return not set(layers) <= ATTENTION
    return any(key.startswith(RECURRENT_KEYS) for key in settings)


def recurrent_support(backends: Path | None) -> bool:
    """Whether every backend of vLLM for recurrent layers has the mode."""
    if backends is None:
        return False
    files = [
        file
        for pattern in ("gdn_attn.py", "linear_attn.py", "mamba*_attn.py", "short_conv_attn.py")
        for file in backends.glob(pattern)
    ]
    return bool(files) and all(SUPPORT in file.read_text(encoding="utf-8") for file in files)


def _package() -> Path | None:
    spec = find_spec("vllm")
    return Path(spec.origin).parent if spec and spec.origin else None


def _backends() -> Path | None:
    package = _package()
    return package / BACKENDS if package else None

"""Batch-invariant mode is asked for where vLLM, device and model have it, and never else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from userturn.engines.kinds import _invariance
from userturn.engines.kinds._invariance import SUPPORT, invariance, is_recurrent, of_model
from userturn.engines.kinds.vllm import VllmEngine
from userturn.study.models import EngineParams

DENSE = {"model_type": "llama", "num_hidden_layers": 2}
HYBRID = {"text_config": {"layer_types": ["linear_attention", "full_attention"]}}
EXPERTS = {"num_local_experts": 32, "quantization_config": {"quant_method": "mxfp4"}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(_invariance.VARIABLE, raising=False)
    (tmp_path / "config.json").write_text(json.dumps(DENSE))
    return tmp_path


@pytest.fixture
def backends(tmp_path: Path) -> Path:
    """A release of vLLM that has the mode for recurrent layers too."""
    for name in ("gdn_attn.py", "mamba2_attn.py"):
        (tmp_path / name).write_text(f"    {SUPPORT}(cls): return True\n")
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "recurrent"),
    [
        (DENSE, False),
        (HYBRID["text_config"], True),
        ({"layer_types": ["full_attention", "sliding_attention"]}, False),
        ({"layer_types": ["mamba", "attention"]}, True),
        ({"mamba_d_state": 16}, True),
        ({"hybrid_override_pattern": "M-M*"}, True),
    ],
)
def test_recurrent_layers_are_known(settings: dict[str, Any], recurrent: bool) -> None:
    assert is_recurrent(settings) == recurrent


def test_a_model_that_the_mode_does_not_reach_is_told_apart(backends: Path) -> None:
    assert of_model(DENSE, backends) == ""
    assert of_model(HYBRID, backends) == ""
    (backends / "linear_attn.py").write_text("class Backend: ...\n")
    assert "recurrent" in of_model(HYBRID, backends)
    assert "recurrent" in of_model(HYBRID, None)
    assert "quantised experts" in of_model(EXPERTS, backends)


def test_the_installed_vllm_is_read() -> None:
    """Fails where a release moves what is read: then this module has to follow."""
    pytest.importorskip("vllm")
    assert _invariance.of_vllm() == ""
    folder = _invariance._backends()
    assert folder is not None
    assert SUPPORT in (folder / "flash_attn.py").read_text()
    assert list(folder.glob("gdn_attn.py"))


def test_on_a_cpu_it_is_not_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_invariance.devices, "offered", list)
    monkeypatch.setenv(_invariance.VARIABLE, "1")
    assert invariance(folder).fact == "not asked for: vLLM has it for GPUs only"


@pytest.mark.parametrize(
    ("said", "lacking"),
    [("9.0\n8.0\n", ""), ("9.0\n7.5\n", "older"), ("", "older"), (None, "older")],
)
def test_the_oldest_gpu_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str | None, lacking: str
) -> None:
    """With a program that speaks as nvidia-smi does."""
    if said is not None:
        tool = tmp_path / "nvidia-smi"
        tool.write_text("#!/bin/sh\ncat <<END\n" + said + "END\n")
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin" if said is not None else "")
    monkeypatch.setattr(_invariance.devices, "offered", lambda: ["0"])
    monkeypatch.setattr("torch.version.cuda", "13.0")
    assert lacking in _invariance.of_device()
    assert bool(lacking) == bool(_invariance.of_device())


def test_on_a_gpu_it_is_asked_for_where_nothing_lacks(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_invariance, "of_device", lambda: "")
    monkeypatch.setattr(_invariance, "of_vllm", lambda: "")
    assert invariance(folder).fact == "asked for"
    (folder / "config.json").write_text(json.dumps(EXPERTS))
    assert not invariance(folder).asked


@pytest.mark.parametrize(("value", "asked"), [("1", True), ("0", False)])
def test_on_a_gpu_the_environment_decides(
    folder: Path, monkeypatch: pytest.MonkeyPatch, value: str, asked: bool
) -> None:
    monkeypatch.setattr(_invariance, "of_device", lambda: "")
    (folder / "config.json").write_text(json.dumps(EXPERTS))
    monkeypatch.setenv(_invariance.VARIABLE, value)
    assert invariance(folder).asked == asked


def test_provenance_records_it_either_way(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("userturn.engines.kinds.vllm.device_name", lambda: "NVIDIA H100")
    monkeypatch.setattr(_invariance, "of_device", lambda: "")
    for value, promise in (("1", "bit-exact"), ("0", "statistical")):
        monkeypatch.setenv(_invariance.VARIABLE, value)
        facts = VllmEngine(EngineParams(dtype="bfloat16"), folder).describe()
        assert facts["regeneration"] == promise
        assert facts["batch_invariant"].startswith("asked for" if value == "1" else "not asked")


def test_a_refusal_by_vllm_names_the_mend(folder: Path) -> None:
    engine = VllmEngine(EngineParams(), folder)
    error = RuntimeError("VLLM batch_invariant mode is not supported for GDN_ATTN.")
    assert f"set {_invariance.VARIABLE}=0" in str(engine._broken("load", error))

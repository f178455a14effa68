"""Which engine a name stands for, and that naming one costs nothing."""

import subprocess
import sys

import pytest

from userturn import engines
from userturn.base import registry
from userturn.base.errors import EngineError
from userturn.engines import create, resolve
from userturn.study.models import ENGINES, EngineParams


def missing(monkeypatch, *packages):
    monkeypatch.setattr(engines, "find_spec", lambda name: None if name in packages else object())


def test_auto_takes_vllm_where_it_is_installed(monkeypatch):
    missing(monkeypatch)
    assert resolve("auto") == "vllm"
    missing(monkeypatch, "vllm")
    assert resolve("auto") == "transformers"


@pytest.mark.parametrize(("name", "package"), [("vllm", "vllm"), ("transformers", "torch")])
def test_a_missing_package_names_the_extra_to_install(monkeypatch, tmp_path, name, package):
    missing(monkeypatch, package)
    with pytest.raises(EngineError, match=rf"needs the package {package}.*userturn\[cpu\]"):
        create(EngineParams(name=name), tmp_path)


@pytest.mark.parametrize("name", registry.names(ENGINES))
def test_create_imports_nothing_heavy(name, tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from userturn import engines; from userturn.study.models import EngineParams\n"
        "engines.find_spec = lambda name: object()\n"
        f"engine = engines.create(EngineParams(name={name!r}), Path({str(tmp_path)!r}))\n"
        f"assert engine.name == {name!r}\n"
        "assert not {'torch', 'transformers', 'vllm', 'tokenizers', 'httpx2'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_engines_are_files_and_their_names_are_checked():
    assert registry.names(ENGINES) == ("fake", "openai", "transformers", "vllm")
    assert [name for name in registry.names(ENGINES) if engines.constrains(name)] == [
        "fake",
        "vllm",
    ]
    with pytest.raises(
        ValueError, match="unknown name; src/userturn/engines/kinds/ has: auto, fake, openai"
    ):
        EngineParams(name="http")

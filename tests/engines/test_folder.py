"""What a model folder says of itself, when it lies, breaks, or brings code."""

import json

import pytest
from pydantic import BaseModel, field_validator

from userturn.base.errors import EngineError
from userturn.engines import create
from userturn.engines.folder import eos_ids, why
from userturn.study.models import EngineParams


@pytest.mark.parametrize("ids", ["x", [1, "2"], -1, True, 1.5, {"a": 1}, [[1]]])
def test_ends_are_token_numbers(tmp_path, ids):
    (tmp_path / "config.json").write_text(json.dumps({"eos_token_id": ids}))
    with pytest.raises(EngineError, match=r"config\.json: eos_token_id is .*mend it"):
        eos_ids(tmp_path)


@pytest.mark.parametrize("content", [b"\xff{}", b"[" * 100_000, b"[1]", b'"x"', b"9" * 5000])
def test_a_configuration_is_a_json_object(tmp_path, content):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(EngineError, match=r"config\.json: (is not a JSON object|cannot be read)"):
        eos_ids(tmp_path)


def test_a_text_config_may_be_anything(tmp_path):
    (tmp_path / "config.json").write_text('{"text_config": [1]}')
    assert eos_ids(tmp_path) == frozenset()


class Arguments(BaseModel):
    length: int = 1

    @field_validator("length")
    @classmethod
    def _fits(cls, value):
        raise ValueError(f"length {value} is above 8192\nmore lines")


def test_a_validation_error_gives_its_reasons(tmp_path):
    with pytest.raises(ValueError, match="1 validation error") as caught:
        Arguments(length=10_000)
    assert why(caught.value, tmp_path) == "ValidationError: length 10000 is above 8192"


def brings_code(folder, mark):
    (folder / "evil.py").write_text(
        f"open({str(mark)!r}, 'w')\n"
        "from transformers import PreTrainedConfig as C, PreTrainedModel as M\n"
        "class Config(C): model_type = 'evil'\n"
        "class Model(M): config_class = Config\n"
    )
    code = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    settings = {"model_type": "evil", "auto_map": code, "eos_token_id": 1}
    (folder / "config.json").write_text(json.dumps(settings))


@pytest.mark.parametrize("name", ["transformers", pytest.param("vllm", marks=pytest.mark.slow)])
def test_code_of_a_model_is_not_run_and_nobody_is_asked(tmp_path, monkeypatch, name):
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    brings_code(tmp_path, mark := tmp_path / "mark")
    with pytest.raises(EngineError, match=r"code of its own \(auto_map in config\.json\)"):
        create(EngineParams(name=name), tmp_path).load()
    assert not mark.exists()

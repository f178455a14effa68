"""Weights: one pointer for the same weights everywhere, one directory made from it."""

import json
from pathlib import Path

import pytest

from userturn.base import paths
from userturn.base.errors import ArtifactError, SourceError, UserturnError
from userturn.models import sources, weights
from userturn.models.fetched import sha256
from userturn.stages import weights as stage
from userturn.study.loading import load_study
from userturn.study.study import Study

LAPTOP = load_study(Path(__file__).resolve().parents[2] / "studies/laptop.yaml")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("USERTURN_CACHE", str(tmp_path / "cache"))


def study(source, **changes):
    raw = LAPTOP.model_dump()
    raw["models"] = {"pretrained": ["m"], "trained": [], "probe": ["m"]}
    raw["ground"]["scorer"] = raw["classify"]["judge_model"] = "m"
    raw["model"] = {"m": {"source": source, **changes}}
    return Study.model_validate(raw)


def fake(seed=0, **changes):
    source = {"type": "generator", "module": weights.FAKE, "seed": seed}
    changes.setdefault("engine", {"name": "fake"})
    return study({**source, "version": sources.__version__}, **changes)


def model_folder(path, template="{{ messages }}"):
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps({"dtype": "bfloat16"}))
    (path / "tokenizer.json").write_text("{}")
    (path / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    return {"type": "file", "path": str(path)}


def test_a_pointer_is_the_same_wherever_it_is_made(tmp_path, monkeypatch):
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        monkeypatch.setenv("USERTURN_CACHE", str(tmp_path / name / "c"))
        stage.run(fake(), "m")
        made.append(paths.weights_pointer("m").read_bytes())
        assert str(tmp_path) not in made[-1].decode()
    assert made[0] == made[1]
    pointer = json.loads(made[0])
    assert pointer["identity"] == f"{weights.FAKE}=={sources.__version__}#0"
    assert len(pointer["tokenizer_sha256"]) == len(pointer["chat_template_sha256"]) == 64
    assert made[0].endswith(b"}\n")


def test_weights_are_made_again_from_the_pointer():
    stage.run(fake(), "m")
    folder = weights.materialise(fake(), "m")
    hashes = sha256(folder)
    assert folder.parent == paths.cache() / "weights"
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    assert weights.materialise(fake(), "m") == folder
    assert sha256(folder) == hashes


def test_the_identity_changes_with_what_changes_a_completion_and_nothing_else():
    stage.run(fake(), "m")

    def identity(**engine):
        return weights.identity(fake(engine=engine), "m")

    base = identity(name="vllm")
    assert base.endswith("#0/float32")
    assert identity(name="transformers", max_num_seqs=1, kv_cache_gib=9) == base
    assert identity(name="vllm", dtype="bfloat16") == base.replace("float32", "bfloat16")
    assert identity(name="fake") == base + ":fake"

    stage.run(fake(seed=1), "m")
    assert weights.identity(fake(seed=1), "m") == f"{base.replace('#0', '#1')}:fake"


def test_a_missing_stale_or_broken_pointer_names_the_mend():
    with pytest.raises(ArtifactError, match=r"weights\.json: is missing; `dvc repro weights@m`"):
        weights.materialise(fake(), "m")
    stage.run(fake(), "m")
    with pytest.raises(ArtifactError, match=r"another `source`.*`dvc repro weights@m`"):
        weights.identity(fake(seed=1), "m")
    for text in ("{", "[]", "{}"):
        paths.weights_pointer("m").write_text(text)
        with pytest.raises(ArtifactError, match="is no pointer to weights"):
            weights.identity(fake(), "m")


def test_a_generator_of_another_version_or_kind_makes_no_weights():
    raw = {"type": "generator", "module": weights.FAKE, "version": "9.9"}
    with pytest.raises(SourceError, match=r"pins version 9\.9"):
        stage.run(study(raw), "m")
    with pytest.raises(SourceError, match=r"only userturn\.engines\.fake makes models"):
        stage.run(study({**raw, "module": "reasoning_gym"}), "m")
    assert not paths.weights_pointer("m").exists()


def test_a_local_model_is_used_where_it_is(tmp_path):
    mine = study(model_folder(tmp_path / "mine"))
    stage.run(mine, "m")
    assert weights.materialise(mine, "m") == tmp_path / "mine"
    pointer = json.loads(paths.weights_pointer("m").read_text())
    assert pointer["dtype"] == "bfloat16"
    assert pointer["identity"].startswith("sha256:")

    (tmp_path / "mine" / "tokenizer.json").write_text('{"changed": true}')
    with pytest.raises(SourceError, match=r"the weights here are sha256:.*run `dvc repro`"):
        weights.materialise(mine, "m")


def test_what_is_no_model_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"empty is no Hugging Face model directory"):
        stage.run(study({"type": "file", "path": str(tmp_path / "empty")}), "m")
    with pytest.raises(SourceError, match=r"model\.m\.format: 'gguf' needs one GGUF file"):
        stage.run(study({"type": "file", "path": str(tmp_path / "empty")}, format="gguf"), "m")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{}", "max_position_embeddings"),
        (b'{"max_position_embeddings": "9"}', "max_position_embeddings"),
        (b'{"max_position_embeddings": -9}', "max_position_embeddings"),
        (b'{"text_config": 1}', "max_position_embeddings"),
        (b"\xff", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b"[]", "not a JSON object"),
    ],
)
def test_a_context_length_is_a_number_above_0(tmp_path, content, says):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(UserturnError, match=rf"config\.json: .*{says}"):
        weights.context_length(tmp_path)


def test_a_hub_model_is_the_commits_and_never_a_branchs(tmp_path, monkeypatch):
    from huggingface_hub import constants

    repo = tmp_path / "hub" / "models--a--model"
    for commit in (COMMIT, COMMIT[::-1]):
        model_folder(repo / "snapshots" / commit, template=commit)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(COMMIT[::-1])
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        SourceError, match=r"model\.m\.source: a/model is at no commit.*userturn pin"
    ):
        stage.run(study({"type": "hub", "repo": "a/model"}), "m")
    mine = study({"type": "hub", "repo": "a/model", "revision": COMMIT})
    stage.run(mine, "m")
    assert weights.identity(mine, "m") == f"a/model@{COMMIT}/float32"
    assert weights.materialise(mine, "m") == repo / "snapshots" / COMMIT
    assert weights.present(mine, "m") == repo / "snapshots" / COMMIT


@pytest.mark.slow
def test_a_damaged_gguf_file_is_named(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"GGUF, or so it says")
    source = {"type": "file", "path": str(tmp_path / "x.gguf")}
    with pytest.raises(SourceError, match=r"x\.gguf: cannot be read as a GGUF chat model"):
        stage.run(study(source, format="gguf"), "m")
    assert not list((tmp_path / "cache").rglob("config.json"))


@pytest.mark.slow
def test_the_converted_model_holds_the_values_and_tokens_of_its_source(smollm2_dir, tmp_path):
    import gguf
    import numpy as np
    from safetensors import safe_open
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2_dir)
    assert tokenizer.model_max_length == 8192
    assert tokenizer.tokenize("in 1984") == ["in", "Ġ", "1", "9", "8", "4"]
    assert tokenizer.chat_template.count("<|im_start|>") > 0
    settings = json.loads((smollm2_dir / "config.json").read_text())
    assert settings["dtype"] == "float32"

    source = LAPTOP.model["smollm2_135m"].source
    reader = gguf.GGUFReader(sources.fetch(source, tmp_path / "cache").path)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    with safe_open(smollm2_dir / "model.safetensors", framework="np") as converted:
        for theirs, ours in (
            ("token_embd.weight", "model.embed_tokens.weight"),
            ("blk.7.ffn_down.weight", "model.layers.7.mlp.down_proj.weight"),
        ):
            tensor = tensors[theirs]
            expected = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            np.testing.assert_array_equal(converted.get_tensor(ours), expected)

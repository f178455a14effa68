"""The paper's architectures, tiny and with random weights: sliding windows, experts, linear
attention. vLLM and transformers must agree on them as on the laptop's model."""

import json
import random

import pytest

from userturn.engines import create
from userturn.engines.base import ScoreRequest
from userturn.engines.requests import Request, Sampling
from userturn.study.models import EngineParams

pytestmark = pytest.mark.slow

SMALL = {
    "vocab_size": 160,
    "hidden_size": 128,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 64,
    "max_position_embeddings": 256,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "initializer_range": 0.3,  # far from uniform, so that greedy choices are no near-ties
}
CONFIGS = {
    "gpt_oss": {"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 16},
    "glm4_moe": {
        "n_routed_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 64,
        "first_k_dense_replace": 1,
        "n_group": 1,
        "topk_group": 1,
    },
    "qwen3_5_text": {
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 2,
        "linear_key_head_dim": 32,
        "linear_value_head_dim": 32,
        "layer_types": ["linear_attention", "full_attention"],
    },
}


@pytest.fixture(params=CONFIGS)
def model_dir(request, tmp_path):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(request.param, **SMALL, **CONFIGS[request.param])
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(tmp_path)
    return tmp_path


def test_engines_agree_token_for_token_and_score_alike(model_dir):
    import torch

    chance = random.Random(0)
    contexts = [tuple(chance.choices(range(3, 160), k=k)) for k in (5, 20, 40, 41)]
    asked = [Request("w", c, Sampling(0.0, 1.0, 12, (2,)), 0) for c in contexts]
    scored = [
        ScoreRequest(contexts[2], (contexts[0], contexts[1][:9], contexts[3])),
        ScoreRequest((*contexts[2][:30], 7), (contexts[0], contexts[1])),
    ]
    architecture = json.loads((model_dir / "config.json").read_text())["model_type"]
    # Its vLLM module imports torchvision, which has no build for the CPU environment.
    names = ["transformers"] if architecture == "qwen3_5_text" else ["transformers", "vllm"]
    turns, scores = {}, {}
    for name in names:
        engine = create(EngineParams(name=name, kv_cache_gib=0.25), model_dir)
        engine.load()
        done = {request.id: completion for request, completion in engine.generate(asked)}
        turns[name] = [done[request.id] for request in asked]
        scores[name] = list(engine.score(scored))
        if name == "transformers":
            model = engine._model
            plain = []
            for request in scored:
                plain.append([])
                for target in request.targets:
                    with torch.inference_mode():
                        ids = torch.tensor([(*request.context, *target)])
                        table = model(ids).logits[0, -len(target) - 1 :].log_softmax(-1)
                    plain[-1].append([float(table[i, t]) for i, t in enumerate(target)])
            alone = [next(engine.generate([request]))[1] for request in asked]
            assert alone == turns[name]  # left padding changes nothing
        engine.close()
    assert len({token for turn in turns["transformers"] for token in turn.token_ids}) > 8
    for name in names:
        assert turns[name] == turns["transformers"]
        for ours, theirs in zip(scores[name], plain, strict=True):
            for one, other in zip(ours, theirs, strict=True):
                assert one == pytest.approx(other, abs=1e-3)

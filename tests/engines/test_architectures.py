"""The paper's architectures, tiny and with random weights: sliding windows, experts, linear
attention. vLLM and transformers must agree on them as on the laptop's model."""

import json
import random

import pytest

from tiny import CONFIGS, make_weights
from userturn.engines import create
from userturn.engines.base import ScoreRequest
from userturn.engines.requests import Request, Sampling
from userturn.study.models import EngineParams

pytestmark = pytest.mark.slow


@pytest.fixture(params=CONFIGS)
def model_dir(request, tmp_path):
    make_weights(tmp_path, request.param)
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
    # vLLM's modules of Qwen3.5 build on its vision model, which imports torchvision; that has no
    # build for the CPU environment.
    qwen = architecture.startswith("qwen3_5")
    names = ["transformers"] if qwen else ["transformers", "vllm"]
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

"""Tokens per second of `VllmEngine.generate` against vLLM's own `LLM.generate`.

Both get the same requests and settings in one process, one after the other, so that the ratio
holds on a busy machine as well. Contexts are random token ids: what they say costs nothing.

    python benchmarks/generate_throughput.py MODEL_DIR --contexts 24 --samples 1 --max-tokens 192
    python benchmarks/generate_throughput.py MODEL_DIR --contexts 33 --samples 9 --max-tokens 64
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path

from userturn.engines.folder import eos_ids
from userturn.engines.kinds.vllm import VllmEngine, engine_arguments, sampling_parameters
from userturn.engines.requests import Request, Sampling
from userturn.study.models import EngineParams


def main() -> None:
    """Measure both and print tokens/s and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--contexts", type=int, default=24)
    parser.add_argument("--samples", type=int, default=9, help="requests per context")
    parser.add_argument("--context-tokens", type=int, default=300)
    parser.add_argument("--max-tokens", type=int, default=64)
    args = parser.parse_args()

    chance = random.Random(0)
    size = json.loads((args.model / "config.json").read_text())["vocab_size"]
    sampling = Sampling(1.0, 1.0, args.max_tokens, tuple(sorted(eos_ids(args.model))))
    contexts = [
        tuple(chance.randrange(100, size) for _ in range(args.context_tokens))
        for _ in range(args.contexts)
    ]
    requests = [
        Request("benchmark", context, sampling, seed)
        for context in contexts
        for seed in range(args.samples)
    ]
    warm_up = [Request("benchmark", contexts[0][::-1], sampling, 0)]
    params = EngineParams(name="vllm", max_model_len=4096)

    engine = VllmEngine(params, args.model)
    engine.load()
    list(engine.generate(warm_up))
    start = time.perf_counter()
    ours = sum(len(completion.token_ids) for _, completion in engine.generate(requests))
    our_rate = ours / (time.perf_counter() - start)
    engine.close()

    from vllm import LLM, TokensPrompt

    llm = LLM(**engine_arguments(params, args.model))
    prompts = [TokensPrompt(prompt_token_ids=list(request.context)) for request in requests]
    settings = [sampling_parameters(request, 4096) for request in requests]
    llm.generate(
        [TokensPrompt(prompt_token_ids=list(warm_up[0].context))], settings[0], use_tqdm=False
    )
    start = time.perf_counter()
    outputs = llm.generate(prompts, settings, use_tqdm=False)
    raw = sum(len(output.outputs[0].token_ids) for output in outputs)
    raw_rate = raw / (time.perf_counter() - start)

    print(
        f"{len(requests)} requests, {args.context_tokens} tokens of context, at most "
        f"{args.max_tokens} new: VllmEngine {our_rate:.0f} tokens/s, LLM.generate "
        f"{raw_rate:.0f} tokens/s, ratio {our_rate / raw_rate:.2f}"
    )


if __name__ == "__main__":
    main()

"""Time of `TransformersEngine.score` against one plain forward per context and target.

The work has the form of the `ground` stage: per prompt one query, behind it the shown answer, two
swapped answers, and the shown answer with an assistant header; a dozen turns to score behind each.

    python benchmarks/score_throughput.py MODEL_DIR --prompts 4
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

from userturn.engines.base import ScoreRequest
from userturn.engines.kinds.transformers import TransformersEngine
from userturn.study.models import EngineParams


def ground_like(
    prompts: int, query: int, answer: int, turns: int, turn: int, vocabulary: int
) -> Iterator[ScoreRequest]:
    """Score requests of random token ids; sizes in tokens."""
    chance = random.Random(0)

    def ids(count: int) -> tuple[int, ...]:
        return tuple(chance.randrange(100, vocabulary) for _ in range(count))

    for _ in range(prompts):
        asked, shown, targets = ids(query), ids(answer), tuple(ids(turn) for _ in range(turns))
        user, assistant = ids(3), ids(3)
        for context in (
            asked + shown + user,
            asked + ids(answer) + user,
            asked + ids(answer) + user,
            asked + shown + assistant,
        ):
            yield ScoreRequest(context, targets)


def main() -> None:
    """Measure both, check that they agree, and print seconds and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--query-tokens", type=int, default=100)
    parser.add_argument("--answer-tokens", type=int, default=197)
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--turn-tokens", type=int, default=30)
    args = parser.parse_args()

    import torch

    vocabulary = json.loads((args.model / "config.json").read_text())["vocab_size"]
    requests = list(
        ground_like(
            args.prompts,
            args.query_tokens,
            args.answer_tokens,
            args.turns,
            args.turn_tokens,
            vocabulary,
        )
    )
    engine = TransformersEngine(EngineParams(name="transformers"), args.model)
    engine.load()
    list(engine.score([ScoreRequest((100,) * 50, ((100,) * 10,))]))

    start = time.perf_counter()
    ours = list(engine.score(requests))
    our_time = time.perf_counter() - start

    start = time.perf_counter()
    naive = []
    for request in requests:
        scores = []
        for target in request.targets:
            ids = torch.tensor([(*request.context, *target)])
            table = engine.forward(ids, len(target) + 1)[0, :-1].log_softmax(-1)
            scores.append([float(table[i, token]) for i, token in enumerate(target)])
        naive.append(scores)
    naive_time = time.perf_counter() - start

    apart = max(
        abs(one - other)
        for left, right in zip(ours, naive, strict=True)
        for ones, others in zip(left, right, strict=True)
        for one, other in zip(ones, others, strict=True)
    )
    given = sum(len(request.context) + sum(map(len, request.targets)) for request in requests)
    print(
        f"{len(requests)} contexts of {len(requests[0].context)} tokens, {args.turns} targets of "
        f"{args.turn_tokens}: score {our_time:.1f} s ({given / our_time:.0f} tokens/s of contexts "
        f"and targets counted once), forward per pair {naive_time:.1f} s, "
        f"ratio {naive_time / our_time:.1f}, largest difference {apart:.1e} nats"
    )


if __name__ == "__main__":
    main()

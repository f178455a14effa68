"""What the store's checksums cost, beside generation with the fake engine.

The same requests go through the fake engine and into a new store, with checksums and with a
constant in their place, by turns, so that the ratio holds on a busy machine as well. The fake
engine makes a completion in microseconds: beside any real one the cost is far smaller still.

    python benchmarks/store_checksum.py MODEL_DIR --requests 3000 --rounds 7
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path
from unittest import mock

from userturn.engines.kinds.fake import FakeEngine
from userturn.engines.requests import Request, Sampling
from userturn.store import database
from userturn.store.database import Store
from userturn.store.kinds import COMPLETIONS
from userturn.study.models import EngineParams


def seconds(requests: list[Request], model: Path, folder: Path) -> float:
    """Time to generate and store all, one by one, as a stage does."""
    engine = FakeEngine(EngineParams(name="fake"), model)
    engine.load()
    start = time.perf_counter()
    with Store(folder / "store.sqlite", COMPLETIONS) as store:
        for request, completion in engine.generate(requests):
            store.add(request.id, completion)
    return time.perf_counter() - start


def nothing(*_: object) -> bytes:
    """Stand in for the checksum."""
    return b""


def main() -> None:
    """Print the median ratio over rounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    chance = random.Random(0)
    requests = [
        Request(
            "benchmark",
            tuple(chance.randrange(256) for _ in range(300)),
            Sampling(1.0, 1.0, 64, (0,)),
            seed,
        )
        for seed in range(args.requests)
    ]
    ratios = []
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            checked = seconds(requests, args.model, Path(one))
            with mock.patch.object(database, "_digest", new=nothing):
                ratios.append(checked / seconds(requests, args.model, Path(other)))
    spread = ", ".join(f"{ratio:.3f}" for ratio in sorted(ratios))
    print(f"with checksums / without: {statistics.median(ratios):.3f} ({spread})")


if __name__ == "__main__":
    main()

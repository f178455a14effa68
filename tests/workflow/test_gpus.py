"""Jobs that run at the same time on one machine never share a GPU."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import pytest

from userturn.base import locks
from userturn.engines import devices

from .conftest import plant, study

pytestmark = pytest.mark.slow

MODELS = ["alpha", "beta", "gamma", "delta"]


def uses(log: Path) -> dict[int, tuple[set[str], float, float]]:
    """GPUs of each process, and when it first and last worked on them (seconds)."""
    found: dict[int, tuple[set[str], float, float]] = {}
    for line in log.read_text().splitlines():
        process, gpus, began, ended = line.split(" ")
        seen, first, last = found.get(int(process), (set(), float(began), float(ended)))
        found[int(process)] = (
            {*seen, *filter(None, gpus.split(","))},
            min(first, float(began)),
            max(last, float(ended)),
        )
    return found


def test_four_models_share_two_gpus(tmp_path: Path, tool_env: dict[str, str]) -> None:
    params = study(MODELS, ["first"], scorer="alpha", spare="alpha")
    params["prompts"]["items"] = 2
    for slug in MODELS:
        params["model"][slug] |= {"resources": {"gpus": 1, "mem_gb": 1, "hours": 1}}
    log = tmp_path / "gpus.log"
    env = {
        **tool_env,
        "CUDA_VISIBLE_DEVICES": "4,7",
        "USERTURN_FAKE_GPU_LOG": str(log),
        "USERTURN_FAKE_DELAY": "0.3",
    }
    (tmp_path / "clone").mkdir()
    clone = plant(tmp_path / "clone", params, env)
    wanted = [f"data/user_turns/{slug}.parquet" for slug in MODELS]

    # Both GPUs are taken until two jobs wait for them, so that these start together.
    folder = clone.path / ".cache" / "gpus"
    folder.mkdir(parents=True)
    held = [locks.take(folder / devices._lock_name(gpu)) for gpu in ("4", "7")]
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            clone.snakemake, "--cores", "4", "--resources", "gpu=2", "--", *wanted
        )
        waiting = 0
        while waiting < 2 and not running.done():
            time.sleep(0.2)
            logs = clone.path.glob("logs/generate-*.log")
            waiting = sum("waiting for 1 of the GPUs 4,7" in file.read_text() for file in logs)
        early = log.exists()
        for lock in filter(None, held):
            lock.close()
        run = running.result()
    assert run.status == 0, run.text
    assert waiting == 2
    assert not early

    found = list(uses(log).values())
    assert len(found) == len(MODELS)
    assert all(len(gpus) == 1 for gpus, _, _ in found)
    assert set().union(*(gpus for gpus, _, _ in found)) == {"4", "7"}
    together = [
        (one, other)
        for (one, began, ended), (other, later_began, later_ended) in combinations(found, 2)
        if began < later_ended and later_began < ended
    ]
    assert together, "no two jobs ran at the same time"
    assert all(one.isdisjoint(other) for one, other in together)

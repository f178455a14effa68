"""Nothing finished is sent to an engine again: not after a kill, not on a colleague's clone."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from .conftest import PROMPT_FILES, TOOLS, Clone, plant, study, write_prompts

pytestmark = pytest.mark.slow

ITEMS = 3
TURNS = 1 + 2 * 2  # greedy, and two samples at two temperatures
CONTROLS = 4
REQUESTS = ITEMS * (1 + TURNS)
STAGES = ("generate@alpha", "perturb@alpha")


@pytest.fixture(scope="module")
def colleague(tmp_path_factory: pytest.TempPathFactory, tool_env: dict[str, str]) -> Clone:
    """A clone whose generations are made, committed, and pushed to a folder."""
    params = study(["alpha"], ["first"], scorer="alpha", spare="alpha")
    params["generate"]["user_turn"] = {
        "temperatures": [0.0, 0.7, 1.0], "samples": 2, "top_p": 1.0, "max_tokens": 48,
    }  # fmt: skip
    params["dataset"]["second"] = {
        "kind": "jsonl", "source": {"type": "file", "path": f"{PROMPT_FILES}/second.jsonl"},
    }  # fmt: skip
    clone = plant(tmp_path_factory.mktemp("colleague"), params, tool_env)
    for name in ("first", "second"):
        write_prompts(clone.path / PROMPT_FILES / f"{name}.jsonl", name, 20)
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "--message=Prompts")
    run = clone.dvc("repro", *STAGES)
    assert run.status == 0, run.text
    remote = tmp_path_factory.mktemp("remote")
    assert clone.dvc("remote", "add", "--default", "folder", str(remote)).status == 0
    assert clone.dvc("push").status == 0
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "--message=First run")
    return clone


@pytest.fixture
def clone(colleague: Clone, tmp_path: Path) -> Clone:
    """A clone of it, with an empty completion store, that logs what it sends to the engine."""
    colleague.git("clone", "--quiet", str(colleague.path), str(tmp_path / "clone"))
    return Clone(tmp_path / "clone", {**colleague.env, "USERTURN_FAKE_LOG": str(tmp_path / "log")})


def sent(clone: Clone) -> Counter[str]:
    log = Path(clone.env["USERTURN_FAKE_LOG"])
    return Counter(log.read_text().split() if log.exists() else [])


def outputs(clone: Clone) -> dict[str, list[Any]]:
    """What `dvc.lock` says of the generated files."""
    lock = yaml.safe_load((clone.path / "dvc.lock").read_text())["stages"]
    return {name: lock[name]["outs"] for name in STAGES if name in lock}


# --- a colleague's artifacts ----------------------------------------------------------------------


def add_temperature(params: dict[str, Any]) -> None:
    params["generate"]["user_turn"]["temperatures"].append(1.3)


def add_dataset(params: dict[str, Any]) -> None:
    params["prompts"]["datasets"].append("second")


def add_items(params: dict[str, Any]) -> None:
    params["prompts"]["items"] += 10


PER_PROMPT = 1 + TURNS + CONTROLS


@pytest.mark.parametrize(
    ("change", "new", "pulled"),
    [
        (add_temperature, ITEMS * 2, True),
        (add_temperature, ITEMS * 2, False),
        (add_dataset, ITEMS * PER_PROMPT, True),
        (add_items, 10 * PER_PROMPT, True),
    ],
)
def test_only_new_requests_are_sent(
    clone: Clone, change: Callable[[dict[str, Any]], None], new: int, pulled: bool
) -> None:
    pull = clone.dvc("pull", "--with-deps", *STAGES) if pulled else None
    assert pull is None or pull.status == 0, pull.text
    clone.edit(change)
    run = clone.dvc("repro", "--pull", *STAGES)
    assert run.status == 0, run.text
    counts = sent(clone)
    assert set(counts.values()) == {1}
    # New prompts join the ring in which each shows the next one's answer: old swaps change.
    swaps = ITEMS if change is add_items else 0
    assert new <= len(counts) <= new + swaps, run.text


# --- kill -9 --------------------------------------------------------------------------------------

GOAL = "data/user_turns/alpha.parquet"


def start(clone: Clone, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [TOOLS / "snakemake", "--cores=1", GOAL],
        cwd=clone.path,
        env={**clone.environment(), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill_stage(run: subprocess.Popen[bytes]) -> None:
    children = psutil.Process(run.pid).children(recursive=True)
    wanted = ["stage", "generate", "alpha"]
    (stage,) = (child for child in children if child.cmdline()[2:] == wanted)
    stage.kill()


def kill_snakemake(run: subprocess.Popen[bytes]) -> None:
    """DVC and the stage live on, and the next run waits for them."""
    run.kill()


def kill_all_but_stage(run: subprocess.Popen[bytes]) -> None:
    """The stage lives on without parents, and the next run's stage waits for it."""
    for child in psutil.Process(run.pid).children(recursive=True):
        if "stage" not in child.cmdline()[:3]:
            child.kill()
    run.kill()


def kill_everything(run: subprocess.Popen[bytes]) -> None:
    os.killpg(run.pid, signal.SIGKILL)


@pytest.mark.parametrize("kill", [kill_stage, kill_snakemake, kill_all_but_stage, kill_everything])
def test_a_killed_run_goes_on_where_it_was(
    clone: Clone, colleague: Clone, kill: Callable[[subprocess.Popen[bytes]], None]
) -> None:
    clone.git("checkout", "--quiet", "HEAD~", "--", ".dvc/config")
    clone.git("rm", "--quiet", "dvc.lock")
    run = start(clone, USERTURN_FAKE_DELAY="0.5")
    deadline = time.monotonic() + 120
    while sum(sent(clone).values()) < REQUESTS / 2:
        assert run.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, "the run never generated"
        time.sleep(0.05)
    kill(run)
    assert run.wait() != 0
    rest = clone.snakemake(GOAL)
    assert rest.status == 0, rest.text
    counts = sent(clone)
    assert len(counts) == REQUESTS
    assert sum(counts.values()) <= REQUESTS + 1  # the one in flight
    assert outputs(clone)["generate@alpha"] == outputs(colleague)["generate@alpha"]
    assert clone.snakemake(GOAL).executed == set()

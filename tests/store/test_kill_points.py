"""300 random kills of a generating process lose, repeat and duplicate nothing.

The killed processes are forks of one that has imported everything and made every context, so that
a kill costs milliseconds. That one is started anew here (`python tests/test_kill_points.py FOLDER
KILLS SEED`), because forking is safe only where no library has started its threads.
"""

import gc
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from userturn import __version__, stages
from userturn.artifacts.prompts import read_prompts
from userturn.base import paths
from userturn.chat.chat import Chat
from userturn.chat.loading import load_chat
from userturn.engines.requests import Request
from userturn.stages import generate
from userturn.store.database import Store
from userturn.store.kinds import COMPLETIONS
from userturn.study.loading import load_study
from userturn.study.study import Study
from userturn.turns import planner

ROOT = Path(__file__).parents[2]
ITEMS, SAMPLES = 100, 18
REQUESTS = ITEMS * (1 + 1 + SAMPLES)  # an answer, a greedy and 18 sampled user turns
KILLS = 300
ID = 33  # characters of a line of the logs
ARTIFACTS = [paths.artifact(kind, "fake") for kind in ("answers", "user_turns")]
SENT, COMMITTED = Path("sent.log"), Path("committed.log")


@pytest.mark.slow
def test_kills_lose_repeat_and_duplicate_nothing(tmp_path: Path) -> None:
    command = [sys.executable, __file__, str(tmp_path), str(KILLS), "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-5000:]
    counts = json.loads(done.stdout)
    print(counts)
    assert counts["kills"] == KILLS
    # Kills must have hit every phase, or the test says less than it promises.
    assert counts["before_the_first_request"] > 5
    assert counts["in_flight"] > 50
    assert counts["after_the_last_request"] > 10


def study() -> Study:
    laptop = load_study(ROOT / "studies/laptop.yaml").model_dump()
    source = {"type": "generator", "module": "userturn.engines.fake", "version": __version__}
    turns = {"temperatures": [0.0, 1.0], "samples": SAMPLES}
    return Study.model_validate(
        laptop
        | {
            "prompts": {"datasets": ["own"], "items": None},
            "models": {"pretrained": ["fake"], "probe": ["fake"]},
            "generate": {"user_turn": turns},
            "ground": {"scorer": "fake"},
            "classify": {"judge_model": "fake"},
            "model": {"fake": {"source": source, "engine": {"name": "fake"}}},
            "dataset": {
                "own": {"kind": "jsonl", "source": {"type": "file", "path": "prompts.jsonl"}}
            },
        }
    )


def fork(work: Callable[[], None]) -> int:
    """Process id of a child that does the work and ends with 0, or 1 after an exception."""
    if pid := os.fork():
        return pid
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def finish(work: Callable[[], None]) -> float:
    """Seconds that a child needs for the work."""
    start = time.monotonic()
    assert wait(fork(work)) == 0
    return time.monotonic() - start


def prepare() -> Callable[[], None]:
    """Make prompts, weights and everything a run computes before it asks; return the run.

    No library with threads of its own works in this process: what reads or writes Parquet does so
    in a child.
    """
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    rows = ({"id": f"p{n}", "prompt": f"What is {n}?"} for n in range(ITEMS))
    Path("prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    probed = study()
    for stage in ("prompts", "weights"):
        slug = {"prompts": "own", "weights": "fake"}[stage]
        finish(lambda stage=stage, slug=slug: stages.run(probed, stage, slug))
    cached = Path("prompts.json")
    finish(lambda: cached.write_text(json.dumps(read_prompts(["own"]).to_dicts())))
    items = json.loads(cached.read_text())
    chat = load_chat(probed, "fake")
    patch = pytest.MonkeyPatch()
    patch.setattr(planner, "load_chat", lambda *_, **__: chat)
    patch.setattr(generate, "read_prompts", lambda _: SimpleNamespace(to_dicts=lambda: items))
    for name in ("user_context", "answer_context"):
        patch.setattr(Chat, name, lru_cache(None)(getattr(Chat, name)))
    decode = lru_cache(None)(Chat.decode)
    patch.setattr(Chat, "decode", lambda chat, ids: decode(chat, tuple(ids)))
    patch.setattr(Request, "id", property(lru_cache(None)(Request.id.fget)))
    with pytest.MonkeyPatch.context() as dry:
        dry.setenv("USERTURN_STORE", "dry")
        dry.setattr(generate.files, "write", lambda *_: None)
        generate.run(probed, "fake")

    add_all = Store.add_all

    def add_and_tell(self: Store[Any], completions: Any) -> None:
        given = list(completions)
        add_all(self, given)
        log = os.open(COMMITTED, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(log, "".join(f"{key}\n" for key, _ in given).encode())
        os.close(log)

    patch.setattr(Store, "add_all", add_and_tell)
    gc.collect()
    gc.freeze()
    return lambda: generate.run(probed, "fake")


def ids(log: Path) -> list[str]:
    """Whole lines of a log."""
    text = log.read_text() if log.exists() else ""
    return text[: len(text) // ID * ID].split()


def run_and_kill(run: Callable[[], None], wanted: int, delay: float) -> bool:
    """Start the run and kill it `delay` seconds after `wanted` more requests; True if it died."""
    size = SENT.stat().st_size if SENT.exists() else 0
    pid = fork(run)
    while wanted and (SENT.stat().st_size if SENT.exists() else 0) < size + wanted * ID:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break
        time.sleep(0.0003)
    time.sleep(delay)
    os.kill(pid, signal.SIGKILL)
    status = wait(pid)
    assert status in (0, -signal.SIGKILL)
    return status != 0


def main(kills: int, seed: int) -> dict[str, int]:
    run, chance = prepare(), random.Random(seed)
    os.environ["USERTURN_FAKE_LOG"] = str(SENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("USERTURN_STORE", "undisturbed")
        finish(run)
        expected = [path.read_bytes() for path in ARTIFACTS]
        assert len(ids(SENT)) == len(set(ids(SENT))) == REQUESTS
        whole_run = min(finish(run) for _ in range(2))  # that finds everything in the store
        assert len(ids(SENT)) == REQUESTS
    for path in (*ARTIFACTS, SENT, COMMITTED):
        path.unlink()
    os.environ["USERTURN_FAKE_DELAY"] = "0.001"  # so that the killer can keep up

    counts = dict.fromkeys(
        ("kills", "before_the_first_request", "in_flight", "after_the_last_request"), 0
    )
    committed: set[str] = set()
    while counts["kills"] < kills:
        sent_before = len(ids(SENT))
        left = REQUESTS - len(set(ids(SENT)))
        pace = left / max(1, 5 / 6 * kills - counts["kills"])  # the last sixth kills what follows
        wanted = chance.randint(1, 1 + int(2 * pace)) if left else 0
        delay = chance.uniform(0, 0.002) if wanted else chance.uniform(0, whole_run)
        if left and chance.random() < 0.1:  # while it reads the store, before it asks
            wanted, delay = 0, chance.uniform(0, whole_run / 8)
        died = run_and_kill(run, wanted, delay)
        counts["kills"] += died
        sent = ids(SENT)[sent_before:]
        assert not committed & set(sent), "a finished request was sent again"
        if not sent:
            phase = "before_the_first_request" if left else "after_the_last_request"
            counts[phase] += died
        log = ids(COMMITTED)
        assert len(log) == len(set(log)), "a completion was committed twice"
        committed = set(log)
        counts["in_flight"] += not committed.issuperset(sent)
        for path, whole in zip(ARTIFACTS, expected, strict=True):
            assert not path.exists() or path.read_bytes() == whole

    finish(run)
    assert [path.read_bytes() for path in ARTIFACTS] == expected
    sent = ids(SENT)
    assert len(set(sent)) == REQUESTS
    assert len(sent) <= REQUESTS + counts["in_flight"]
    with Store(paths.completion_store("fake"), COMPLETIONS) as store:
        assert set(store.get(sent)) == set(sent)
        assert len(store) == REQUESTS
    return {**counts, "requests": REQUESTS, "sent": len(sent)}


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    print(json.dumps(main(int(sys.argv[2]), int(sys.argv[3]))))

"""GPUs are shared out among processes; here they are but names."""

import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from userturn.base.errors import EngineError
from userturn.engines import devices
from userturn.study.models import ModelEntry
from userturn.workflow.decision import share

HOLD = """
import sys, time
from userturn.engines import devices
devices.hold(int(sys.argv[1]))
print(__import__("os").environ.get(devices.VISIBLE), flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """A folder of locks of its own, nothing held, no real GPU seen."""
    monkeypatch.setenv("USERTURN_CACHE", str(tmp_path))
    monkeypatch.setenv(devices.VISIBLE, "0,1,2")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr(devices, "_held", held := {})
    monkeypatch.setattr(devices, "POLL_S", 0.02)
    yield
    for handle in held.values():
        handle.close()


@pytest.fixture
def other():
    """Starts processes that hold devices, and returns them with what they see."""
    started = []

    def start(count, **env):
        command = [sys.executable, "-c", HOLD, str(count)]
        process = subprocess.Popen(
            command, env={**os.environ, **env}, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_processes_take_different_devices(other):
    _, first = other(1)
    _, second = other(1)
    devices.hold(1)
    assert sorted([first, second, os.environ[devices.VISIBLE]]) == ["0", "1", "2"]
    devices.hold(1)  # the next model of the same process


def test_a_killed_process_leaves_its_devices(other):
    process, seen = other(2)
    assert seen == "0,1"
    process.kill()
    devices.hold(3)
    assert os.environ[devices.VISIBLE] == "0,1,2"


def test_who_waits_holds_nothing(other):
    first, _ = other(2)
    waiting = subprocess.Popen([sys.executable, "-c", HOLD, "2"], stdout=subprocess.PIPE)
    time.sleep(0.5)
    devices.hold(1)  # the third is free, though the other waits for two
    assert os.environ[devices.VISIBLE] == "2"
    assert waiting.poll() is None
    first.kill()
    assert waiting.stdout.readline() == b"0,1\n"
    waiting.kill()
    waiting.communicate()


def test_more_than_there_are_is_an_error():
    with pytest.raises(EngineError, match=r"4 GPUs are needed and 3 offered.*0,1,2.*openai"):
        devices.hold(4)
    devices.hold(1)
    with pytest.raises(EngineError, match="2 GPUs are needed and 1 offered"):
        devices.hold(2)


@pytest.mark.parametrize(
    ("visible", "pool"),
    [
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("3", ["3"]),
        ("GPU-8932f937, MIG-a/1/0", ["GPU-8932f937", "MIG-a/1/0"]),
    ],
)
def test_the_pool_is_what_the_variable_offers(monkeypatch, visible, pool):
    monkeypatch.setenv(devices.VISIBLE, visible)
    assert devices.offered() == pool
    devices.hold(1)
    assert os.environ[devices.VISIBLE] == (pool[0] if pool else visible)


def test_without_the_variable_it_is_the_machine(monkeypatch, tmp_path):
    monkeypatch.delenv(devices.VISIBLE)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices.offered() == []
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 0; echo 1\n")
    tool.chmod(0o755)
    assert devices.offered() == ["0", "1"]
    tool.write_text("#!/bin/sh\necho 'no driver'; exit 9\n")
    assert devices.offered() == []


def test_jobs_of_slurm_that_number_their_devices_alike_do_not_wait(other, monkeypatch):
    monkeypatch.setenv(devices.VISIBLE, "0")
    assert other(1, SLURM_JOB_ID="7")[1] == "0"
    assert other(1, SLURM_JOB_ID="8")[1] == "0"
    devices.hold(1)


@given(st.integers(1, 256), st.integers(0, 16), st.none() | st.integers(0, 16))
def test_jobs_that_fit_on_the_gpus_fit_on_the_cores(cores, gpus, limit):
    threads = share(cores, gpus, limit)
    assert 1 <= threads <= cores
    if gpus and limit and gpus <= limit <= cores:
        assert threads * (limit // gpus) <= cores
    if not gpus or not limit:
        assert threads == cores


def entry(gpus, **engine):
    source = {"type": "file", "path": "x"}
    raw = {"source": source, "engine": engine, "resources": {"gpus": gpus}}
    return ModelEntry.model_validate(raw)


def test_a_model_asks_for_the_gpus_it_takes():
    assert entry(8, tensor_parallel=4, pipeline_parallel=2).engine.gpus == 8
    assert entry(0).engine.gpus == 1
    for gpus in (0, 7):
        with pytest.raises(ValueError, match=f"is 8, more than resources.gpus, {gpus}"):
            entry(gpus, tensor_parallel=4, pipeline_parallel=2)

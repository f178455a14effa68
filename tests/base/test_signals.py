"""A signal ends a process, also where a shell had it ignored, and where code swallows it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from userturn.base.signals import INTERRUPTED

READY = "ready"
PLAIN = "time.sleep(60)"
DEAF = """
while True:
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        pass
"""
CHILD = """
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
try:
    child.wait()
except KeyboardInterrupt:
    pass
print(child.wait(10))
"""


def ignore_sigint() -> None:
    """As a shell does for what runs in its background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_and_signal(code: str, number: int) -> tuple[int, str, float]:
    """Exit status, what was printed, and the seconds from the signal to the end."""
    begin = "import subprocess, sys, time; from userturn.base import signals; signals.GRACE_S = 1.0"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{begin}\n{code}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=ignore_sigint,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == READY
    time.sleep(0.5)
    start = time.monotonic()
    process.send_signal(number)
    text, _ = process.communicate(timeout=30)
    return process.returncode, text, time.monotonic() - start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("work", [PLAIN, DEAF], ids=["plain", "deaf"])
@pytest.mark.slow
def test_a_signal_ends_the_process_within_seconds(work: str, number: int) -> None:
    code = f"signals.end_this_process(); print('{READY}', flush=True)\n{work}"
    status, _, seconds = run_and_signal(code, number)
    assert status == (INTERRUPTED if work == DEAF else -signal.SIGINT)
    assert seconds < 10


def test_a_signal_reaches_what_was_started() -> None:
    status, text, seconds = run_and_signal(
        f"signals.pass_on(); print('{READY}', flush=True)\n{CHILD}", signal.SIGINT
    )
    assert (status, text.strip()) == (0, str(-signal.SIGINT))
    assert seconds < 10

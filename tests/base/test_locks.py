"""Locks exclude, tell who holds them, and end with their process."""

import logging
import os
import signal
import subprocess
import sys
import threading

from userturn.base import locks


def test_a_file_is_held_by_one_at_a_time_and_names_its_holder(tmp_path):
    path = tmp_path / "new" / "one.lock"
    held = locks.take(path)
    assert held is not None
    assert locks.take(path) is None
    assert path.read_text() == f"{os.getpid()}\n"
    held.close()
    again = locks.take(path)
    assert again is not None
    again.close()


def test_a_stage_waits_for_the_process_that_is_at_it(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.WARNING)
    work = (
        "import sys, time; from userturn.base import locks\n"
        "with locks.alone('generate@m'): print('held', flush=True); time.sleep(600)"
    )
    other = subprocess.Popen([sys.executable, "-c", work], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    entered = threading.Event()

    def run() -> None:
        with locks.alone("generate@m"):
            entered.set()

    waiting = threading.Thread(target=run)
    waiting.start()
    assert not entered.wait(3 * locks.POLL_S)
    other.send_signal(signal.SIGKILL)
    other.communicate()
    assert entered.wait(30)
    waiting.join()
    assert f"generate@m: waiting for process {other.pid}" in caplog.text


def test_stages_do_not_wait_for_each_other_nor_for_another_clones(tmp_path, monkeypatch):
    monkeypatch.setenv("USERTURN_CACHE", str(tmp_path / "shared"))
    for clone in ("one", "other"):
        (tmp_path / clone).mkdir()
    monkeypatch.chdir(tmp_path / "one")
    with locks.alone("generate@a"), locks.alone("generate@b"):
        assert len(list(locks.FOLDER.iterdir())) == 2
        monkeypatch.chdir(tmp_path / "other")
        with locks.alone("generate@a"):
            pass

"""Notes that a kill left in DVC's lock file stop nobody."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from userturn.workflow.dvc_locks import settle

COMMAND = "/bin/dvc repro"


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"write": {"data/a": {"pid": 12',
        "[]",
        '{"write": {"a": {}}}',
        json.dumps({"write": {"a": {"pid": 2**30, "cmd": COMMAND}}, "read": {}}),
        # The id of a killed process that another program has got since.
        json.dumps({"read": {"a": [{"pid": os.getppid(), "cmd": COMMAND}]}}),
    ],
)
def test_notes_of_nobody_are_removed(tmp_path: Path, text: str) -> None:
    (tmp_path / "rwlock").write_text(text)
    settle(tmp_path)
    assert not (tmp_path / "rwlock").exists()


def test_no_notes_are_left_alone(tmp_path: Path) -> None:
    settle(tmp_path / "not there")
    (tmp_path / "rwlock").write_text('{"write": {}, "read": {}}')
    settle(tmp_path)
    assert (tmp_path / "rwlock").exists()


def test_a_dvc_at_work_is_waited_for(tmp_path: Path) -> None:
    program = tmp_path / "dvc"
    program.write_text("input()")
    worker = subprocess.Popen([sys.executable, program, "repro", "x"], stdin=subprocess.PIPE)
    note = {"pid": worker.pid, "cmd": f"{program} repro x"}
    (tmp_path / "rwlock").write_text(json.dumps({"write": {"a": note}}))
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        assert worker.poll() is None
        worker.communicate(b"\n")

    settle(tmp_path, say)
    assert said == [
        f"DVC: waiting for process {worker.pid}, which is still at work here: {note['cmd']}"
    ]
    assert not (tmp_path / "rwlock").exists()

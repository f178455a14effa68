"""`userturn verify` and `userturn status` on a study that the real tools made."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from userturn.artifacts import files, provenance
from userturn.base.locks import held

from .conftest import TOOLS, Clone
from .test_agreement import LABELS, add_temperature, flip_one_byte

pytestmark = pytest.mark.slow


def test_verify_finds_harm_and_names_its_mend(copied: Clone) -> None:
    sound = copied.userturn("verify")
    assert sound.status == 0, sound.text
    assert "20 artifacts: all whole" in sound.text
    flip_one_byte(copied.path / LABELS)
    with (copied.path / "reports/tables/rates.csv").open("a") as file:
        file.write("\n")
    harmed = copied.userturn("verify")
    assert harmed.status == 1
    assert str(LABELS) in harmed.text
    assert "reports/tables" in harmed.text
    for path in (str(LABELS), "reports/tables"):
        assert copied.dvc("checkout", "--force", path).status == 0
    mended = copied.userturn("verify")
    assert mended.status == 0, mended.text


def test_mends_that_are_named_work(copied: Clone) -> None:
    labels = copied.path / LABELS

    labels.unlink()
    assert "`dvc repro` restores or makes it" in " ".join(copied.userturn("verify").text.split())
    assert copied.dvc("repro").executed == set()
    assert copied.userturn("verify").status == 0

    hash_of_it = hashlib.md5(labels.read_bytes()).hexdigest()
    cached = copied.path / ".dvc/cache/files/md5" / hash_of_it[:2] / hash_of_it[2:]
    cached.unlink()
    flip_one_byte(labels)
    assert "dvc checkout --force" in copied.userturn("verify").text
    assert copied.dvc("checkout", "--force", str(LABELS)).status != 0
    assert copied.dvc("repro").executed == {"classify@alpha"}
    assert copied.userturn("verify").status == 0

    rows = files.read(labels, "labels").to_dicts()[1:]
    files.write(labels, "labels", rows, provenance.read(labels))
    assert copied.dvc("commit", "--force", "classify@alpha").status == 0
    said = " ".join(copied.userturn("verify").text.split())
    assert "lacks 1 labels by likelihood" in said
    assert "dvc repro --force --single-item classify@alpha" in said
    assert copied.dvc("repro", "--force", "--single-item", "classify@alpha").status == 0
    assert copied.dvc("repro").status == 0
    assert copied.userturn("verify").status == 0
    copied.assert_clean()


def fields(stage: str, text: str) -> list[list[str]]:
    """What `userturn status` says of a stage, in words, line by line."""
    return [line.split()[1:] for line in text.splitlines() if line.startswith(f"{stage} ")]


def test_status_counts_what_an_edit_costs(copied: Clone) -> None:
    shutil.move(copied.path / ".cache/weights", copied.path / ".cache/elsewhere")
    done = copied.userturn("status")
    assert done.status == 0, done.text
    answers, turns = fields("generate@alpha", done.text)
    assert answers[:-2] == ["answers", "up", "to", "date", "3", "3", "0"]
    assert turns[:-2] == ["user", "turns", "up", "to", "date", "15", "15", "0"]
    copied.edit(add_temperature)
    unknown = copied.userturn("status")
    assert [line[-5:-2] for line in fields("generate@alpha", unknown.text)] == [["?"] * 3] * 2
    shutil.move(copied.path / ".cache/elsewhere", copied.path / ".cache/weights")
    for where in ("the store", "the previous output"):
        edited = copied.userturn("status")
        answers, turns = fields("generate@alpha", edited.text)
        (controls,) = fields("perturb@alpha", edited.text)
        assert answers[:-2] == ["answers", "stale", "3", "3", "0"], where
        assert turns[:-2] == ["user", "turns", "stale", "21", "15", "6"], where
        assert controls[:-2] == ["controls", "stale", "12", "12", "0"], where
        assert fields("prompts@first", edited.text)[0][:-2] == ["up", "to", "date"]
        shutil.rmtree(copied.path / ".cache/completions", ignore_errors=True)


def test_status_counts_requests_of_prompts_that_are_still_to_come(
    copied: Clone, tmp_path: Path
) -> None:
    copied.edit(lambda keys: keys["prompts"].update(items=5))
    text = copied.userturn("status").text
    answers, turns = fields("generate@alpha", text)
    (controls,) = fields("perturb@alpha", text)
    (scores,) = fields("ground@alpha", text)
    assert answers[:-2] == ["answers", "stale", "5", "3", "2"]
    assert turns[:-2] == ["user", "turns", "stale", "25", "15", "10"]
    assert controls[:-2] == ["controls", "stale", "20", "11", "9"]  # a new neighbour to swap with
    assert int(scores[4]) > 0
    copied.env["USERTURN_FAKE_LOG"] = str(tmp_path / "sent")
    assert copied.dvc("repro", "generate@alpha", "perturb@alpha").status == 0
    assert len((tmp_path / "sent").read_text().split()) == 2 + 10 + 9

    # All turns are known now, so what is left to score is known exactly.
    (scores,) = fields("ground@alpha", copied.userturn("status").text)
    run = copied.dvc("repro", "ground@alpha")
    assert f"{scores[2]} wanted, {scores[3]} finished, {scores[4]} to send" in run.text


def test_status_while_a_run_is_at_work(copied: Clone) -> None:
    copied.edit(add_temperature)
    run = subprocess.Popen(
        [TOOLS / "snakemake", "--cores=1"],
        cwd=copied.path,
        env={**copied.environment(), "USERTURN_FAKE_DELAY": "10"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    lock = copied.path / ".cache/locks/generate@alpha.lock"
    try:
        deadline = time.monotonic() + 120
        while not held(lock):
            assert run.poll() is None, "the run ended before it generated"
            assert time.monotonic() < deadline, "the run never generated"
            time.sleep(0.1)
        done = copied.userturn("status")
        assert done.status == 0, done.text
        _, turns = fields("generate@alpha", done.text)
        assert turns[:5] == ["user", "turns", "at", "work", "21"]
        finished, to_send = map(int, turns[5:7])
        assert (finished + to_send, to_send > 0) == (21, True)  # one may end while it is counted
    finally:
        start = time.monotonic()
        run.send_signal(signal.SIGINT)  # to this one process: the stage ends, too
        run.wait(60)
    assert time.monotonic() - start < 30
    assert not held(lock)

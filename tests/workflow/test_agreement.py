"""DVC and Snakemake decide the same on every clone: the table of "who owns what", row by row."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import TOOLS, Clone, Origin

pytestmark = pytest.mark.slow

STAGES = {
    "entries",
    "prompts@first",
    "weights@alpha",
    "weights@beta",
    "generate@alpha",
    "score@alpha",
    "perturb@alpha",
    "ground@alpha",
    "classify@alpha",
    "calibrate",
    "tables",
    "figures",
    "report",
}


def add_temperature(params: dict[str, Any]) -> None:
    params["generate"]["user_turn"]["temperatures"].append(1.3)


def change_dpi(params: dict[str, Any]) -> None:
    params["figures"]["dpi"] = 90


UPSTREAM = {"entries", "prompts@first", "weights@alpha", "weights@beta", "calibrate"}
UNTOUCHED = {"perturb@alpha", "score@alpha"}
"""What another temperature of user turns leads to only through answers, whose bytes stay."""


def assert_both_run(
    clone: Clone, expected: set[str], skipped: frozenset[str] = frozenset()
) -> None:
    """Snakemake plans and runs these stages, and DVC executes them but for those it may skip."""
    assert clone.snakemake("-n").scheduled == expected
    run = clone.snakemake()
    assert run.status == 0, run.text
    assert run.scheduled == expected
    assert run.executed == expected - skipped
    clone.assert_clean()


def test_first_run_executes_everything_and_the_next_nothing(origin: Origin, copied: Clone) -> None:
    assert origin.first_run.scheduled == STAGES
    assert origin.first_run.executed == STAGES
    assert not list(copied.path.glob("data/**/.gitignore"))
    assert not list(copied.path.glob("reports/**/.gitignore"))
    again = copied.snakemake()
    assert again.status == 0
    assert again.executed == again.scheduled == set()
    repro = copied.dvc("repro")
    assert repro.status == 0, repro.text
    assert repro.executed == set()
    copied.assert_clean()


def test_pulled_clone_has_nothing_to_do(pulled: Clone) -> None:
    assert pulled.dvc("repro").executed == set()
    pulled.assert_clean()


def test_figure_parameter_runs_figures(pulled: Clone) -> None:
    pulled.edit(change_dpi)
    assert_both_run(pulled, {"figures", "report"})


def test_added_temperature_runs_generate_and_what_follows(pulled: Clone) -> None:
    pulled.edit(add_temperature)
    assert_both_run(pulled, STAGES - UPSTREAM, frozenset(UNTOUCHED))


def test_repro_runs_what_snakemake_would(pulled: Clone) -> None:
    pulled.edit(add_temperature)
    planned = pulled.snakemake("-n").scheduled
    run = pulled.dvc("repro")
    assert run.status == 0, run.text
    assert run.executed == planned - UNTOUCHED
    pulled.assert_clean()


def test_resources_reach_no_model(pulled: Clone) -> None:
    def more_resources(params: dict[str, Any]) -> None:
        params["model"]["alpha"]["resources"] = {"gpus": 8, "mem_gb": 900, "hours": 24}
        engine = params["model"]["alpha"]["engine"]  # beta's, too, in the file
        params["model"]["alpha"]["engine"] = engine | {"tensor_parallel": 8, "max_num_seqs": 512}

    pulled.edit(more_resources)
    assert_both_run(pulled, {"entries"})  # it reads the registry, and writes the same bytes again


def test_an_entry_that_the_study_does_not_use_reaches_no_stage_but_entries(pulled: Clone) -> None:
    def add_entries(params: dict[str, Any]) -> None:
        params["judge"]["unused"] = {"type": "local"}
        params["model"]["unused"] = params["model"]["beta"]
        params["dataset"]["unused"] = params["dataset"]["first"]

    pulled.edit(add_entries)
    assert_both_run(pulled, {"entries"})


def test_an_entry_reaches_the_stages_that_use_it(pulled: Clone) -> None:
    pulled.edit(lambda params: params["model"]["alpha"].update(family="other family"))
    assert_both_run(pulled, {"entries", "tables", "figures", "report"})


def test_changed_code_runs_its_stage_and_stops_at_equal_bytes(pulled: Clone) -> None:
    downstream = {"classify@alpha", "tables", "figures", "report"}
    for _ in range(2):  # the second time Snakemake knows the bytes that the triggers had
        with (pulled.path / "src/userturn/stages/classify.py").open("a") as file:
            file.write("\n# a comment\n")
        run = pulled.snakemake()
        assert run.scheduled == downstream
        assert run.executed == {"classify@alpha"}
    pulled.assert_clean()


@pytest.mark.parametrize("tool", ["snakemake", "dvc"])
def test_missing_artifacts_are_pulled_on_demand(fresh: Clone, tool: str) -> None:
    run = fresh.snakemake() if tool == "snakemake" else fresh.dvc("repro", "--pull")
    assert run.status == 0, run.text
    assert run.executed == set()
    fresh.assert_clean()


def test_without_remote_everything_runs_again(fresh: Clone) -> None:
    fresh.git("checkout", "--quiet", "HEAD~", "--", ".dvc/config")
    run = fresh.snakemake()
    assert run.status == 0, run.text
    assert run.executed == STAGES
    fresh.assert_clean()
    assert "nothing to commit" in fresh.git("status", "dvc.lock").text  # the same bytes again


def test_killed_run_goes_on(fresh: Clone) -> None:
    fresh.git("checkout", "--quiet", "HEAD~", "--", ".dvc/config")
    fresh.git("rm", "--quiet", "dvc.lock")
    log = fresh.path / "logs" / "generate-alpha.log"
    run = subprocess.Popen(
        [TOOLS / "snakemake"],
        cwd=fresh.path,
        env={**fresh.environment(), "USERTURN_FAKE_DELAY": "10"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not log.exists():
        assert run.poll() is None, "the run ended before it generated"
        assert time.monotonic() < deadline, "the run never generated"
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    rest = fresh.snakemake()
    assert rest.status == 0, rest.text
    done = {"prompts@first", "weights@alpha"}  # what generate waited for
    race = {"entries", "weights@beta", "calibrate"}
    assert STAGES - done - race <= rest.executed <= STAGES - done
    fresh.assert_clean()


LABELS = Path("data/labels/alpha.parquet")


def flip_one_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [Path.unlink, flip_one_byte], ids=["deleted", "one byte"])
def test_lost_artifact_is_restored_and_nothing_runs(
    copied: Clone, harm: Callable[[Path], None]
) -> None:
    path = copied.path / LABELS
    before = path.read_bytes()
    harm(path)
    run = copied.snakemake()
    assert run.status == 0, run.text
    assert run.scheduled == {"classify@alpha", "tables", "figures", "report"}
    assert run.executed == set()
    assert path.read_bytes() == before
    copied.assert_clean()


def test_switch_between_two_studies_and_back(copied: Clone) -> None:
    copied.git("switch", "--quiet", "--create", "small")
    copied.edit(change_dpi)
    assert copied.snakemake().executed == {"figures", "report"}
    copied.git("commit", "--quiet", "--all", "--message=Small figures")
    for branch in ("main", "small"):
        copied.git("switch", "--quiet", branch)
        checkout = copied.dvc("checkout")
        assert checkout.status == 0, checkout.text
        assert "reports/figures" in checkout.text
        copied.assert_clean()


def test_comment_accepted_with_commit_runs_nothing(copied: Clone) -> None:
    with (copied.path / "src/userturn/stages/generate.py").open("a") as file:
        file.write("\n# a comment\n")
    assert "generate@alpha" in copied.dvc("status").text
    accepted = copied.dvc("commit", "--force", "generate@alpha")
    assert accepted.status == 0, accepted.text
    copied.assert_clean()


@pytest.mark.parametrize(
    ("options", "scheduled"),
    [(["-F"], STAGES), (["--forcerun", "generate"], {"generate@alpha"})],
    ids=["-F", "--forcerun generate"],
)
def test_forced_jobs_are_decided_by_dvc(
    copied: Clone, options: list[str], scheduled: set[str]
) -> None:
    """Snakemake removes the outputs of forced jobs; DVC puts back what nothing has changed."""
    run = copied.snakemake(*options)
    assert run.status == 0, run.text
    assert run.scheduled == scheduled
    assert run.executed == set()
    copied.assert_clean()


def test_experiment_changes_a_parameter(copied: Clone) -> None:
    run = copied.dvc("exp", "run", "--name", "coarse", "--set-param", "figures.dpi=90")
    assert run.status == 0, run.text
    assert run.executed == {"figures", "report"}
    assert "coarse" in copied.dvc("exp", "list").text
    copied.assert_clean()


def test_queued_experiment_runs_beside_the_clone(copied: Clone) -> None:
    queued = copied.dvc("exp", "run", "--queue", "--name", "fine", "--set-param", "figures.dpi=300")
    assert queued.status == 0, queued.text
    run = copied.dvc("exp", "run", "--run-all")
    assert run.status == 0, run.text
    assert "fine" in copied.dvc("exp", "list").text, run.text
    copied.assert_clean()  # the clone itself is as it was
    applied = copied.dvc("exp", "apply", "fine")
    assert applied.status == 0, applied.text
    assert "dpi: 300" in (copied.path / "params.yaml").read_text()
    assert "up to date" in copied.dvc("status").text


@pytest.mark.parametrize(
    ("url", "reason"),
    [("nowhere", "FileNotFoundError"), ("ssh://nobody@127.0.0.1:1/nowhere", "ConnectionRefused")],
    ids=["folder", "server"],
)
def test_unreachable_remote_is_a_warning(copied: Clone, url: str, reason: str) -> None:
    copied.dvc("remote", "modify", "folder", "url", url)
    copied.edit(change_dpi)
    run = copied.snakemake()
    assert run.status == 0, run.text
    assert "the remote 'folder' cannot be read" in run.text
    assert reason in run.text
    assert run.executed == {"figures", "report"}


def test_second_run_is_refused_and_the_first_goes_on(copied: Clone) -> None:
    copied.edit(change_dpi)
    lock = copied.path / ".cache" / "run.lock"
    lock.write_text("")
    first = subprocess.Popen(
        [TOOLS / "snakemake", "--cores=1"],
        cwd=copied.path,
        env=copied.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while lock.read_text() != f"{first.pid}\n":
        assert first.poll() is None, first.stdout.read()
        time.sleep(0.02)
    first.send_signal(signal.SIGSTOP)
    second = copied.snakemake()
    first.send_signal(signal.SIGCONT)
    assert second.status != 0
    assert f"another snakemake (process {first.pid}) is at work in this clone" in second.text
    assert "Traceback" not in second.text
    text, _ = first.communicate(timeout=600)
    assert first.returncode == 0, text
    copied.assert_clean()


def test_read_only_clone_names_the_mend(copied: Clone) -> None:
    """Root writes whatever the permissions say, so it gets a read-only mount instead."""
    snakemake = f"exec {TOOLS / 'snakemake'} --cores=1"
    if os.geteuid() == 0:
        mount = 'mount --bind "$PWD" "$PWD" && mount -o remount,ro,bind "$PWD" && cd "$PWD"'
        inside = ["unshare", "--mount", "sh", "-c"]
        if shutil.which("unshare") is None or copied.command(*inside, mount).status != 0:
            pytest.skip("root, and no mount namespaces here: nothing is read-only for this user")
        run = copied.command(*inside, f"{mount} && {snakemake}")
    else:
        copied.command("chmod", "-R", "a-w", ".")
        run = copied.command("sh", "-c", snakemake)
        copied.command("chmod", "-R", "u+w", ".")
    assert run.status != 0
    assert ".cache/run.lock: cannot be written" in run.text
    assert "make this folder writable" in run.text
    assert "Traceback" not in run.text

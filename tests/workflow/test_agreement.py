"""DVC and Snakemake decide the same on every clone: the table of "who owns what", row by row."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import Any

import pytest

from .conftest import TOOLS, Clone, Origin

pytestmark = pytest.mark.slow

STAGES = {
    "prompts@first",
    "weights@alpha",
    "weights@beta",
    "generate@alpha",
    "perturb@alpha",
    "ground@alpha",
    "classify@alpha",
    "tables",
    "figures",
}


def add_temperature(params: dict[str, Any]) -> None:
    params["generate"]["user_turn"]["temperatures"].append(1.3)


def change_dpi(params: dict[str, Any]) -> None:
    params["figures"]["dpi"] = 90


UPSTREAM = {"prompts@first", "weights@alpha", "weights@beta"}
UNTOUCHED = {"perturb@alpha"}
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


def test_first_run_executes_everything_and_the_next_nothing(origin: Origin) -> None:
    assert origin.first_run.scheduled == STAGES
    assert origin.first_run.executed == STAGES
    assert not list(origin.clone.path.glob("data/**/.gitignore"))
    assert not list(origin.clone.path.glob("reports/**/.gitignore"))
    again = origin.clone.snakemake()
    assert again.status == 0
    assert again.executed == again.scheduled == set()
    repro = origin.clone.dvc("repro")
    assert repro.status == 0, repro.text
    assert repro.executed == set()
    origin.clone.assert_clean()


def test_pulled_clone_has_nothing_to_do(pulled: Clone) -> None:
    assert pulled.dvc("repro").executed == set()
    pulled.assert_clean()


def test_figure_parameter_runs_figures(pulled: Clone) -> None:
    pulled.edit(change_dpi)
    assert_both_run(pulled, {"figures"})


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
        params["model"]["alpha"]["engine"].update(tensor_parallel=8, max_num_seqs=512)

    pulled.edit(more_resources)
    run = pulled.snakemake()
    assert run.executed == {"tables"}  # which read the registry, and write the same bytes again
    pulled.assert_clean()


def test_changed_code_runs_its_stage_and_stops_at_equal_bytes(pulled: Clone) -> None:
    downstream = {"classify@alpha", "tables", "figures"}
    for _ in range(2):  # the second time Snakemake knows the bytes that the triggers had
        with (pulled.path / "src/userturn/classify.py").open("a") as file:
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
    done = {"prompts@first", "weights@alpha"}  # what generate waited for; weights@beta is a race
    assert STAGES - done - {"weights@beta"} <= rest.executed <= STAGES - done
    fresh.assert_clean()

"""Rules and stages are one graph, and a study that cannot run says why."""

from __future__ import annotations

import fcntl
import json
import sys
from contextlib import chdir
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from userturn.study.classify import FITTED_CALIBRATION

from .conftest import TOOLS, Clone, plant, study

pytestmark = pytest.mark.slow

LAPTOP = study(
    ["smollm2_135m"], ["gsm_symbolic", "ifbench", "mt_bench"], "smollm2_135m", "smollm2_135m"
)
ELEVEN = study([f"model_{n}" for n in range(11)], [f"set_{n}" for n in range(5)], "judge", "spare")
ELEVEN["classify"]["likelihood"]["calibration"] = FITTED_CALIBRATION


EXTRAS = study(["alpha", "beta", "gamma"], ["first", "second"], "alpha", "spare")
EXTRAS["prompts"]["human"] = ["first"]
EXTRAS["models"] |= {"cross": ["alpha", "beta"], "expect": ["beta"]}
EXTRAS["generate"]["answer_source"] = ["self", "reference", "gamma"]


def is_code(dep: str) -> bool:
    """Whether it decides as code does; rules know it by their triggers."""
    return dep.startswith("src/") and not dep.endswith(".json")


def stages(clone: Clone) -> dict[str, tuple[set[str], set[str]]]:
    """Inputs and outputs of each stage as DVC resolves them.

    A folder stands for the outputs in it, and a file for the output that it is part of.
    """
    from dvc.repo import Repo

    with chdir(clone.path), Repo(".") as repo:
        outs = {stage.addressing: {str(out) for out in stage.outs} for stage in repo.index.stages}
        made = set().union(*outs.values())
        deps = {
            stage.addressing: {
                str(dep)
                for dep in stage.deps
                if (dep not in stage.params or str(dep) in made) and not is_code(str(dep))
            }
            for stage in repo.index.stages
        }

    def files(dep: str) -> set[str]:
        inside = {out for out in made if out.startswith(f"{dep}/")}
        return inside or {out for out in made if dep.startswith(f"{out}/")} or {dep}

    return {name: (set().union(*map(files, deps[name])), outs[name]) for name in deps}


JOBS = """
import json
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import DAGSettings, OutputSettings, Quietness, ResourceSettings

with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
    workflow = api.workflow(ResourceSettings(cores=2), snakefile=Path("Snakefile"))
    workflow.dag(DAGSettings(targets={"all"})).execute_workflow(executor="dryrun")
    jobs = [job for job in workflow._workflow.dag.jobs if job.rule.name != "all"]
    facts = {
        job.shellcmd: {
            "rule": job.rule.name,
            "inputs": list(job.input),
            "outputs": list(job.output),
            "logs": list(job.log),
        }
        for job in jobs
    }
print("JOBS", json.dumps(facts, default=str))
"""


def rules(clone: Clone) -> dict[str, tuple[set[str], set[str]]]:
    """Inputs and outputs of each of Snakemake's jobs, by the stage that its shell names."""
    done = clone.command(sys.executable, "-c", JOBS)
    assert done.status == 0, done.text
    facts = next(line for line in done.text.splitlines() if line.startswith("JOBS "))
    jobs = {}
    for shell, job in json.loads(facts.removeprefix("JOBS ")).items():
        command, stage = shell.rsplit(" ", 1)
        assert command == "python -m userturn.workflow.reproduce --single-item"
        assert job["rule"] == stage.split("@")[0]
        assert job["logs"] == [f"logs/{stage.replace('@', '-')}.log"]
        trigger = f".cache/stages/{stage}.yaml"
        assert trigger in job["inputs"]
        jobs[stage] = (set(job["inputs"]) - {trigger}, set(job["outputs"]))
    return jobs


@pytest.mark.parametrize(
    ("params", "count"),
    [
        (LAPTOP, 1 + 3 + 1 + 5 + 4),
        (ELEVEN, 1 + 5 + 13 + 5 * 11 + 4),
        (EXTRAS, 1 + 2 + 4 + 5 * 3 + 2 + 1 + 1 + 4),
    ],
)
def test_rules_are_the_stages(
    params: dict[str, Any], count: int, tmp_path: Path, tool_env: dict[str, str]
) -> None:
    clone = plant(tmp_path, params, tool_env)
    by_rule, by_stage = rules(clone), stages(clone)
    assert len(by_stage) == count
    assert by_rule == by_stage
    dry = clone.snakemake("-n")
    assert dry.scheduled == set(by_stage)
    generate = {name for name in dry.scheduled if name.startswith("generate@")}
    assert len(generate) == len(params["models"]["probe"])


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, tool_env: dict[str, str]) -> Clone:
    return plant(tmp_path_factory.mktemp("planted"), LAPTOP, tool_env)


def test_graphs_print(planted: Clone) -> None:
    steps = [
        "prompts",
        "generate",
        "score",
        "perturb",
        "ground",
        "classify",
        "calibrate",
        "tables",
        "figures",
        "report",
    ]
    for option in ("--dag", "--rulegraph"):
        text = planted.snakemake(option).text
        assert "digraph" in text
        assert all(f'label = "{step}' in text for step in steps)
    text = planted.command(str(TOOLS / "dvc"), "dag", "--dot").text
    for before, after in pairwise(["generate", "perturb", "ground", "classify"]):
        assert f'"{before}@smollm2_135m" -> "{after}@smollm2_135m"' in text


def test_lint_finds_nothing_but_the_missing_conda_environment(planted: Clone) -> None:
    """One virtual environment serves all steps, so no rule names an environment of its own."""
    text = planted.snakemake("--lint").text
    complaints = [line.strip() for line in text.splitlines() if line.startswith("    * ")]
    assert complaints
    assert {line.split(":")[0] for line in complaints} == {
        "* Specify a conda environment or container for each rule."
    }
    assert planted.command(str(TOOLS / "snakefmt"), "--check", "Snakefile").status == 0


@pytest.fixture
def scratch(planted: Clone) -> Any:
    yield planted
    planted.git("checkout", "--quiet", ".")


def drop_chat(params: dict[str, Any]) -> None:
    del params["model"]["smollm2_135m"]["chat"]


def drop_cross(params: dict[str, Any]) -> None:
    del params["models"]["cross"]


def misspell(params: dict[str, Any]) -> None:
    params["generate"]["contxt"] = "live"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_chat, "registry.yaml: write out model.smollm2_135m.chat"),
        (drop_cross, "params.yaml: write out models.cross"),
        (misspell, "generate.contxt: unknown key"),
    ],
)
def test_study_that_cannot_run_is_named_without_traceback(
    scratch: Clone, change: Any, message: str
) -> None:
    scratch.edit(change)
    run = scratch.snakemake("-n")
    assert run.status != 0
    assert message in run.text
    assert "Traceback" not in run.text
    assert "workflow.py" not in run.text


def test_config_may_repeat_params_and_not_contradict_them(planted: Clone) -> None:
    assert planted.snakemake("-n", "--config", "seed=0").status == 0
    run = planted.snakemake("-n", "--config", "seed=1")
    assert run.status != 0
    assert "dvc exp run -S seed=1" in run.text


def test_second_run_in_one_clone_is_refused(planted: Clone) -> None:
    lock = planted.path / ".cache" / "run.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        handle.write("4711\n")
        handle.flush()
        run = planted.snakemake()
    assert run.status != 0
    assert "another snakemake (process 4711) is at work in this clone" in run.text

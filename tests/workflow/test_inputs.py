"""What changes outside of the clone, or leaves the study, is seen by both tools, and settles."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from userturn.models import weights
from userturn.study.models import ModelEntry

from .conftest import PROMPT_FILES, Clone, plant, study, write_prompts
from .test_agreement import STAGES

pytestmark = pytest.mark.slow

TOOLS = ("snakemake", "dvc")
ALPHA = {f"{name}@alpha" for name in ("generate", "score", "perturb", "ground", "classify")}
SHOWN = {"tables", "figures", "report"}
SECOND = {"entries", "prompts@second", *ALPHA, *SHOWN}
"""What runs behind the second dataset."""
LOCAL_MODEL = {"entries", "weights@alpha", *ALPHA, *SHOWN}
"""What runs behind the local model."""


def run_with(clone: Clone, tool: str) -> set[str]:
    """Bring the study up to date with one of the tools; the stages that were executed."""
    run = clone.snakemake() if tool == "snakemake" else clone.dvc("repro")
    assert run.status == 0, run.text
    return run.executed


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tool_env: dict[str, str]) -> Path:
    """A folder with a clone of a finished study, and files outside of the clone that it reads.

    A model of its own, by a relative path, and a dataset, by an environment variable; another
    dataset and the reference turns lie in the clone.
    """
    base = tmp_path_factory.mktemp("finished")
    params = study(["alpha"], ["first", "second"], scorer="beta", spare="beta")
    write_prompts(base / "outside/first.jsonl", "first")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("USERTURN_CACHE", str(base / "made"))
        folder, _ = weights.make(ModelEntry.model_validate(params["model"]["alpha"]), "alpha")
    shutil.copytree(folder, base / "outside/alpha")
    params["model"]["alpha"]["source"] = {"type": "file", "path": "../outside/alpha"}
    params["dataset"]["first"]["source"]["path"] = "${ELSEWHERE}/first.jsonl"
    (base / "clone").mkdir()
    clone = plant(base / "clone", params, {**tool_env, "ELSEWHERE": str(base / "outside")})
    run = clone.snakemake()
    assert run.status == 0, run.text
    assert run.executed == STAGES | {"prompts@second"}
    clone.assert_clean()
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "--message=First run")
    (base / "environment.json").write_text(json.dumps(clone.env))
    return base


@pytest.fixture
def clone(finished: Path, tmp_path: Path) -> Clone:
    """A copy of all of it; its first look at its own outside finds the same bytes."""
    shutil.copytree(finished, tmp_path / "copy", symlinks=True)
    env = json.loads((finished / "environment.json").read_text())
    env["ELSEWHERE"] = str(tmp_path / "copy/outside")
    copy = Clone(tmp_path / "copy/clone", env)
    assert "Nothing to be done" in copy.snakemake("-n").text
    return copy


def change_questions(path: Path) -> None:
    text = path.read_text()
    path.write_text(text.replace("what is", "what if"))


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("where", ["in the clone", "outside"])
def test_edited_dataset_runs_what_reads_it(clone: Clone, tool: str, where: str) -> None:
    inside = where == "in the clone"
    name = "second" if inside else "first"
    path = clone.path / PROMPT_FILES / "second.jsonl" if inside else first_of(clone)
    before = path.read_text()
    change_questions(path)
    expected = SECOND - {"prompts@second"} | {f"prompts@{name}"}
    assert "data/inputs" in clone.dvc("status").text
    assert f"prompts@{name} " in stale_lines(clone)
    harm = clone.userturn("verify")
    assert harm.status == 1
    assert f"{name}.jsonl" in harm.text
    assert clone.snakemake("-n").scheduled == expected
    assert run_with(clone, tool) == expected - {"score@alpha"} | ({"score@alpha"} & expected)
    clone.assert_clean()
    assert clone.userturn("verify").status == 0

    path.write_text(before)  # what was made of these bytes comes out of DVC's cache
    assert run_with(clone, tool) == set()
    clone.assert_clean()


def first_of(clone: Clone) -> Path:
    return Path(clone.env["ELSEWHERE"]) / "first.jsonl"


def stale_lines(clone: Clone) -> str:
    """Lines of `userturn status` that say stale."""
    text = clone.userturn("status").text
    return "\n".join(line for line in text.splitlines() if " stale " in line)


@pytest.mark.parametrize("tool", TOOLS)
def test_edited_model_runs_what_runs_it(clone: Clone, tool: str) -> None:
    config = Path(clone.env["ELSEWHERE"]) / "alpha/config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "note": "trained on"}))
    assert "data/inputs" in clone.dvc("status").text
    assert clone.snakemake("-n").scheduled == LOCAL_MODEL
    assert run_with(clone, tool) >= {"entries", "weights@alpha", "generate@alpha", "perturb@alpha"}
    clone.assert_clean()
    assert clone.userturn("verify").status == 0


def test_file_added_to_a_model_is_seen_at_the_next_look(clone: Clone) -> None:
    (Path(clone.env["ELSEWHERE"]) / "alpha/added.json").write_text("{}")
    assert clone.snakemake("-n").scheduled == LOCAL_MODEL
    assert "data/inputs" in clone.dvc("status").text


@pytest.mark.parametrize("tool", TOOLS)
def test_edited_reference_turns_run_calibrate(clone: Clone, tool: str) -> None:
    path = clone.path / "data/reference/conversations.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    assert run_with(clone, tool) >= {"entries", "calibrate"}
    clone.assert_clean()


@pytest.mark.parametrize("tool", TOOLS)
def test_pinned_file_that_differs_is_named_with_its_key(clone: Clone, tool: str) -> None:
    def pin(keys: dict[str, Any]) -> None:
        keys["dataset"]["first"]["source"]["sha256"] = "0" * 64

    clone.edit(pin)
    run = clone.snakemake() if tool == "snakemake" else clone.dvc("repro")
    assert run.status != 0
    assert "first.jsonl: sha256 differs" in run.text
    assert "dataset.first.source.sha256" in run.text


@pytest.mark.parametrize("tool", TOOLS)
def test_inputs_that_are_not_here_leave_what_was_made_of_them(clone: Clone, tool: str) -> None:
    shutil.rmtree(clone.env["ELSEWHERE"])
    clone.userturn("status")
    assert run_with(clone, tool) <= {"entries"}
    clone.assert_clean()
    assert clone.userturn("verify").status == 0


@pytest.mark.parametrize("tool", TOOLS)
def test_new_clone_looks_at_local_files_and_runs_nothing(
    clone: Clone, tool: str, tmp_path: Path
) -> None:
    clone.git("clone", "--quiet", str(clone.path), str(tmp_path / "copy/new"))
    new = Clone(tmp_path / "copy/new", clone.env)
    for command in (["remote", "add", "--default", "cache", "../clone/.dvc/cache"], ["pull"]):
        assert new.dvc(*command).status == 0
    assert run_with(new, tool) <= {"entries"}
    new.assert_clean()
    assert "nothing to commit" in new.git("status", "dvc.lock").text
    change_questions(first_of(new))
    assert "prompts@first" in run_with(new, tool)


def drop_second(keys: dict[str, Any]) -> None:
    keys["prompts"]["datasets"].remove("second")


def rename_model(keys: dict[str, Any]) -> None:
    keys["model"]["gamma"] = keys["model"].pop("alpha")
    keys["models"] |= {"pretrained": ["gamma", "beta"], "probe": ["gamma"]}


@pytest.mark.parametrize("tool", TOOLS)
def test_removed_dataset_settles(clone: Clone, tool: str) -> None:
    clone.edit(drop_second)
    assert run_with(clone, tool) == {"entries", *ALPHA, *SHOWN}
    clone.assert_clean()
    assert run_with(clone, tool) == set()
    clone.git("checkout", "--quiet", "params.yaml", "registry.yaml")
    assert run_with(clone, tool) == set()  # all of it comes out of DVC's cache
    clone.assert_clean()


@pytest.mark.parametrize("tool", TOOLS)
def test_renamed_model_settles(clone: Clone, tool: str) -> None:
    clone.edit(rename_model)
    gamma = {stage.replace("alpha", "gamma") for stage in ALPHA}
    assert run_with(clone, tool) == {"entries", "weights@gamma", *gamma, *SHOWN}
    assert not list(clone.path.glob("data/*/alpha.parquet"))
    clone.assert_clean()


@pytest.mark.parametrize("checkout", [True, False], ids=["dvc checkout", "no checkout"])
@pytest.mark.parametrize("tool", TOOLS)
def test_switch_between_studies_of_other_datasets_and_back(
    clone: Clone, tool: str, checkout: bool
) -> None:
    clone.git("switch", "--quiet", "--create", "small")
    clone.edit(drop_second)
    run_with(clone, tool)
    clone.git("commit", "--quiet", "--all", "--message=One dataset")
    for branch in ("main", "small", "main"):
        clone.git("switch", "--quiet", branch)
        if checkout:
            assert clone.dvc("checkout").status == 0
            assert "up to date" in clone.dvc("status").text
        # Without a checkout a prompt file of the other study lies there until a stage looks at it;
        # Snakemake looks first, and nothing is sent.
        may_run = set() if checkout or tool == "snakemake" else {"generate@alpha"}
        assert run_with(clone, tool) <= may_run
        clone.assert_clean()
        assert "nothing to commit" in clone.git("status", "dvc.lock").text

"""Clones of the project with a small study, and the real tools run in them."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

from userturn import __version__
from userturn.study.study import Registry

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent
PROMPTS = 5
PROMPT_FILES = "data/inputs"
OWN_REFERENCE = "data/reference/conversations.jsonl"


def study(models: list[str], datasets: list[str], scorer: str, spare: str) -> dict[str, Any]:
    """The laptop study with these models and datasets; `spare` is fetched and never probed.

    Keys of `params.yaml` and of `registry.yaml` together; `write_study` parts them.
    """
    params = yaml.safe_load((ROOT / "studies" / "laptop.yaml").read_text())
    own = {"kind": "conversations", "source": {"type": "file", "path": OWN_REFERENCE}}
    params |= {"reference": {"own": own}, "judge": {}}
    params["calibrate"]["sets"] = ["own"]
    engine = {"name": "fake", "dtype": "float32", "max_model_len": 4096}
    source = {"type": "generator", "module": "userturn.engines.fake", "version": __version__}
    pretrained = list(dict.fromkeys([*models, scorer, spare]))
    params["prompts"] = {"datasets": datasets, "items": 3, "human": []}
    params["generate"]["user_turn"]["samples"] = 2
    params["perturb"]["conditions"] = ["truncate", "ask", "swap", "close"]
    extras: dict[str, list[str]] = {"cross": [], "expect": []}
    params["models"] = {"pretrained": pretrained, "trained": [], "probe": models, **extras}
    params["ground"]["scorer"] = params["classify"]["judge_model"] = scorer
    params["model"] = {
        slug: {"source": {**source, "seed": seed}, "format": "hf", "chat": {}, "engine": engine}
        for seed, slug in enumerate(pretrained)
    }
    params["dataset"] = {
        slug: {"kind": "jsonl", "source": {"type": "file", "path": f"{PROMPT_FILES}/{slug}.jsonl"}}
        for slug in datasets
    }
    return params


def write_study(folder: Path, keys: Mapping[str, Any]) -> None:
    """Write the two files of a study."""
    entries = {name: keys[name] for name in Registry.model_fields if name in keys}
    params = {name: value for name, value in keys.items() if name not in entries}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    (folder / "registry.yaml").write_text(yaml.safe_dump(entries, sort_keys=False))


@dataclass(frozen=True)
class Run:
    """One run of a tool: its exit status and what it printed."""

    status: int
    text: str

    @property
    def executed(self) -> set[str]:
        """Stages whose command DVC ran."""
        return set(re.findall(r"Running stage '([^']+)'", self.text))

    @property
    def scheduled(self) -> set[str]:
        """Stages that Snakemake ran, or with `-n` would run."""
        return set(re.findall(r"^Job \d+: ([a-z0-9_@]+):", self.text, re.MULTILINE))


@dataclass
class Clone:
    """A working copy, and the tools run in it."""

    path: Path
    env: dict[str, str] = field(default_factory=dict)
    limit: float = 600  # seconds per command

    def command(self, *command: str, active: bool = False) -> Run:
        """Run a command; `active` puts the virtual environment on PATH."""
        environment = self.environment()
        if active:
            environment["PATH"] = os.pathsep.join([str(TOOLS), environment["PATH"]])
        done = subprocess.run(
            command,
            cwd=self.path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=self.limit,
            check=False,
        )
        return Run(done.returncode, done.stdout)

    def environment(self) -> dict[str, str]:
        return {**self.env, "PYTHONPATH": str(self.path / "src")}

    def snakemake(self, *arguments: str) -> Run:
        """Snakemake with one job at a time, so that the output of DVC's processes does not mix."""
        return self.command(str(TOOLS / "snakemake"), "--cores=1", *arguments)

    def dvc(self, *arguments: str) -> Run:
        return self.command("dvc", *arguments, active=True)

    def git(self, *arguments: str) -> Run:
        done = self.command("git", *arguments)
        assert done.status == 0, done.text
        return done

    def userturn(self, *arguments: str) -> Run:
        return self.command("userturn", *arguments, active=True)

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change keys of `params.yaml` and `registry.yaml`, given to `change` together."""
        files = [self.path / "params.yaml", self.path / "registry.yaml"]
        keys = {k: v for file in files for k, v in yaml.safe_load(file.read_text()).items()}
        change(keys)
        write_study(self.path, keys)

    def assert_clean(self) -> None:
        """DVC finds nothing to do, and neither does Snakemake."""
        assert "up to date" in self.dvc("status").text
        dry = self.snakemake("-n")
        assert dry.scheduled == set(), dry.text
        assert "Nothing to be done" in dry.text


@pytest.fixture(scope="session")
def tool_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment without this user's git and DVC settings, the virtual environment not active."""
    home = tmp_path_factory.mktemp("home")
    identity = {"NAME": "Test", "EMAIL": "test@example.org"}
    return {
        "PATH": os.pathsep.join(["/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "DVC_GLOBAL_CONFIG_DIR": str(home / "dvc-global"),
        "DVC_SYSTEM_CONFIG_DIR": str(home / "dvc-system"),
        "DVC_SITE_CACHE_DIR": str(home / "dvc-site"),
        "DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "1",
        **{
            f"GIT_{who}_{key}": to
            for who in ("AUTHOR", "COMMITTER")
            for key, to in identity.items()
        },
    }


def write_prompts(path: Path, name: str, count: int = PROMPTS) -> None:
    """A dataset of this many prompts."""
    rows = [{"id": f"{name}{n}", "prompt": f"{name}: what is {n}?"} for n in range(count)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def plant(path: Path, params: Mapping[str, Any], env: Mapping[str, str]) -> Clone:
    """A new repository at `path` with the project's files and a study of its own."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if not name.startswith("tests/") and name != "dvc.lock" and (ROOT / name).is_file():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, path / name)
    write_study(path, params)
    for slug in params["dataset"]:
        write_prompts(path / PROMPT_FILES / f"{slug}.jsonl", slug)
    clone = Clone(path, dict(env))
    clone.git("init", "--quiet", "--initial-branch=main")
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "--message=Study")
    return clone


@dataclass(frozen=True)
class Origin:
    """The first clone after a complete run, its artifacts pushed to a folder."""

    clone: Clone
    remote: Path
    first_run: Run


@pytest.fixture(scope="session")
def origin(
    tmp_path_factory: pytest.TempPathFactory, tool_env: dict[str, str], worker_id: str
) -> Origin:
    """Made by the first process of the session that asks; no test changes it."""
    alone = worker_id == "master"
    base = tmp_path_factory.getbasetemp()
    made = (base if alone else base.parent) / "origin.pickle"
    with FileLock(made.with_suffix(".lock")):
        if not made.exists():
            made.write_bytes(pickle.dumps(make_origin(tmp_path_factory, tool_env)))
    found = pickle.loads(made.read_bytes())
    assert isinstance(found, Origin)
    return found


def make_origin(tmp_path_factory: pytest.TempPathFactory, tool_env: dict[str, str]) -> Origin:
    params = study(["alpha"], ["first"], scorer="alpha", spare="beta")
    clone = plant(tmp_path_factory.mktemp("origin"), params, tool_env)
    first_run = clone.snakemake()
    assert first_run.status == 0, first_run.text
    remote = tmp_path_factory.mktemp("remote")
    assert clone.dvc("remote", "add", "--default", "folder", str(remote)).status == 0
    pushed = clone.dvc("push", "--run-cache")
    assert pushed.status == 0, pushed.text
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "--message=First run")
    return Origin(clone, remote, first_run)


@pytest.fixture
def fresh(origin: Origin, tmp_path: Path) -> Clone:
    """A clone of the origin, nothing pulled."""
    origin.clone.git("clone", "--quiet", str(origin.clone.path), str(tmp_path / "clone"))
    return Clone(tmp_path / "clone", dict(origin.clone.env))


@pytest.fixture
def copied(origin: Origin, tmp_path: Path) -> Clone:
    """The origin itself, copied with its caches: every file is there and nothing needs a remote."""
    shutil.copytree(origin.clone.path, tmp_path / "clone", symlinks=True)
    return Clone(tmp_path / "clone", dict(origin.clone.env))


@pytest.fixture
def pulled(fresh: Clone) -> Clone:
    """A clone of the origin after `dvc pull`."""
    done = fresh.dvc("pull")
    assert done.status == 0, done.text
    return fresh

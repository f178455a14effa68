"""What the Snakefile needs: DVC's decision, told to Snakemake.

DVC decides and stores; Snakemake schedules. File times cannot carry that decision: after `dvc pull`
they are random. So `begin` asks DVC once which stages have changed, and

- each job has one input whose time counts, its trigger: a small file with the stage's command,
  dependencies, parameters and outputs as DVC resolved them. It is new for a stage that is stale
  (changed, or downstream of a changed one) and old for every other;
- an artifact is an `ancient` input unless the stage that makes it is stale: `Plan.artifact`.

What is downstream of a stage that then writes the same bytes again is scheduled too; DVC skips it
in its turn.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import yaml

from userturn.base import locks, paths, signals
from userturn.base.errors import StudyError
from userturn.models import inputs
from userturn.stages import prune
from userturn.stages.entries import texts
from userturn.study.loading import PARAMS_FILE, REGISTRY_FILE, load_study
from userturn.study.study import Study
from userturn.study.yaml import read_mapping
from userturn.workflow import dvc_locks, written_out
from userturn.workflow.repository import RunError, can_pull, differences, open_repo
from userturn.workflow.reproduce import MODULE

# In the clone, not in paths.cache(), which clones may share.
TRIGGERS = Path(".cache/stages")
LOCK_FILE = Path(".cache/run.lock")
DVC_TEMPORARY = Path(".dvc/tmp")

LONG_AGO = 946684800.0  # 2000-01-01: older than every artifact
SHOWN_STAGES = 12
INPUTS_FILE = paths.entries("inputs")
# What DVC says of a stage that dvc.lock does not know.
NEVER_RUN = frozenset({f"{PARAMS_FILE} new", f"{REGISTRY_FILE} new"})


_run_lock: TextIO | None = None  # open as long as this process lives, so that the lock is held


@dataclass(frozen=True)
class Stage:
    """One stage instance as DVC resolved it.

    Attributes:
        name: Name with its matrix slug, such as `generate@smollm2_135m`.
        slice: Command, dependencies, parameters with their values, outputs; as in the trigger.
        changed: What DVC found changed, in words; empty for a stage that is up to date.
        kept: Outputs that a run is known to write as they lie there.
    """

    name: str
    slice: Mapping[str, Any]
    changed: tuple[str, ...] = ()
    kept: frozenset[str] = frozenset()

    @property
    def moving(self) -> list[str]:
        """Outputs that a run may change."""
        return [out for out in self.slice["outs"] if out not in self.kept]

    def reads(self, other: Stage) -> bool:
        """Whether what the other stage may change is a dependency, lies in one, or holds one."""
        return any(
            f"{dep}/".startswith(f"{out}/") or f"{out}/".startswith(f"{dep}/")
            for dep in self.slice["deps"]
            for out in other.moving
        )


@dataclass(frozen=True)
class Plan:
    """What the rules are made of.

    Attributes:
        study: The checked study.
        repro: Command that takes the name of a stage and brings it up to date.
        stale_files: Outputs that stages may change which DVC is going to look at in this run.
        stale_stages: Stages that DVC is going to look at.
    """

    study: Study
    repro: str
    stale_files: frozenset[str] = frozenset()
    stale_stages: frozenset[str] = frozenset()

    def artifact(self, *patterns: str) -> Callable[[Any], list[str]]:
        """Input function for artifacts: old ones, whatever their time, unless they are made now."""
        from snakemake.io import ancient

        def paths(wildcards: Any) -> list[str]:
            files = [pattern.format(**wildcards) for pattern in patterns]
            return [path if path in self.stale_files else ancient(path) for path in files]

        return paths

    def entries(self, stage: str, *names: str) -> Callable[[Any], list[str]]:
        """Input function for files of `entries`, for a rule whose jobs are instances of the stage.

        Where `entries` runs for other stages alone, none: these files are old then, and of what is
        behind a job that runs Snakemake looks at no trigger, unless a new file leads there.
        """
        from snakemake.io import ancient

        def files(wildcards: Any) -> list[str]:
            made = [str(paths.entries(name)) for name in names]
            if stage.format(**wildcards) in self.stale_stages:
                return made
            if "entries" in self.stale_stages:
                return []
            return [ancient(path) for path in made]

        return files


def begin(config: Mapping[str, Any], *, decide: bool) -> Plan:
    """Check the study and, in Snakemake's main process, write the triggers.

    Args:
        config: Snakemake's `config`; it may repeat values of `params.yaml` and change none.
        decide: Ask DVC what has changed. False in the processes that Snakemake starts for single
            jobs, which carry out what the main process decided.

    Raises:
        UserturnError: The study is not valid, `config` contradicts it, DVC cannot read the
            repository, or another run is at work in this clone.
    """
    study = load_study()
    refuse_overrides(config, read_mapping(PARAMS_FILE))
    use_tools_beside_python()
    if not decide:
        return Plan(study, repro_command(can_pull()))
    lock_clone()
    signals.pass_on()
    dvc_locks.settle(DVC_TEMPORARY)
    show_dvc(study)
    stages = read_stages(study)
    to_run = stale(stages)
    write_triggers(stages, to_run)
    for line in summary(stages):
        print(line, file=sys.stderr)
    made = {out for stage in stages if stage.name in to_run for out in stage.moving}
    repro = repro_command(bool(to_run) and can_pull())
    return Plan(study, repro, frozenset(made), frozenset(to_run))


def repro_command(pull: bool) -> str:
    """Command that brings one stage up to date; what a colleague pushed is pulled, not made."""
    return f"python -m {MODULE} {'--pull ' if pull else ''}--single-item"


def trigger(stage: str) -> str:
    """Path of a stage's trigger file; wildcards stay as they are."""
    return str(TRIGGERS / f"{stage}.yaml")


def share(cores: int, gpus: int, all_gpus: int | None) -> int:
    """Cores of one job: as many as go with its GPUs, so that as many jobs run as GPUs allow.

    A job without GPUs, or where none are counted, takes all cores: one such job runs at a time.
    """
    return max(1, min(cores, cores * gpus // all_gpus)) if gpus and all_gpus else cores


def refuse_overrides(
    config: Mapping[str, Any], params: Mapping[str, Any], prefix: str = ""
) -> None:
    """Refuse `snakemake --config` that differs from `params.yaml`, which alone DVC reads.

    Raises:
        StudyError: A value differs; the message says both ways to change it.
    """
    for name, value in config.items():
        key, given = f"{prefix}{name}", params.get(name)
        if isinstance(value, Mapping) and isinstance(given, Mapping):
            refuse_overrides(value, given, f"{key}.")
        elif name not in params or value != given:
            there = repr(given) if name in params else "not set"
            raise StudyError(
                f"--config {key}={value}: {PARAMS_FILE} has {there}, and DVC reads only that "
                f"file. Edit it, or try the value with `dvc exp run -S {key}={value}`"
            )


def use_tools_beside_python() -> None:
    """Let jobs find `dvc` and `userturn` where this Python is, venv activated or not."""
    tools = os.path.dirname(sys.executable)
    paths = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if paths[0] != tools:
        os.environ["PATH"] = os.pathsep.join([tools, *paths])


def lock_clone() -> None:
    """Hold the clone for this process; the kernel lets go when it ends, however it ends.

    Snakemake's own lock outlives a killed run and then needs `--unlock`, so the profiles turn it
    off.

    Raises:
        RunError: Another process holds the clone, or its folder cannot be written.
    """
    global _run_lock
    if _run_lock is not None:
        return
    try:
        _run_lock = locks.take(LOCK_FILE)
    except OSError as error:
        raise RunError(
            f"{LOCK_FILE}: cannot be written ({error.strerror}); make this folder writable "
            "(`chmod -R u+w .`), or work in a clone of it: `git clone`, `dvc pull`"
        ) from None
    if _run_lock is None:
        pid = LOCK_FILE.read_text(encoding="utf-8").strip()
        raise RunError(
            f"another snakemake (process {pid}) is at work in this clone: "
            "wait until it has ended, or work in another clone"
        )


def show_dvc(study: Study) -> None:
    """Lay out for DVC what it compares: links to local files, and no artifact of another study."""
    inputs.link(study)
    prune(study)


def read_stages(study: Study) -> list[Stage]:
    """Ask DVC for every stage of the study of this folder, in the order of `dvc.yaml`.

    Raises:
        StudyError: `dvc.yaml` names a key that is left to its default.
        RunError: DVC cannot read the repository.
    """
    written = {str(file): read_mapping(file) for file in (PARAMS_FILE, REGISTRY_FILE)}
    defaults = study.model_dump(mode="json")
    written_out.check_matrices(written[str(PARAMS_FILE)], defaults)
    # The registry changes more often than the entries of one study, and those cost nothing to
    # know: so an edit of another entry schedules no job behind `entries`, and one of a local file
    # only those behind what reads it.
    coming = texts(study)
    kept = frozenset(str(path) for path, text in coming.items() if _holds(path, text))
    written[str(INPUTS_FILE)] = json.loads(coming[INPUTS_FILE])
    edited = _edited(coming)
    with open_repo() as repo:
        slices = {
            str(stage.addressing): stage_slice(stage, written, defaults)
            for stage in repo.index.stages
            if stage.cmd  # a file added with `dvc add` is no stage of the study
        }
        status = differences(repo)
    return [
        Stage(name, slice_, tuple(_changes(slice_, status.get(name, []), edited)), kept)
        for name, slice_ in slices.items()
    ]


def _changes(slice_: Mapping[str, Any], status: list[Any], edited: set[str]) -> dict[str, None]:
    """What has changed for a stage: by DVC, and of the files that it reads through `entries`."""
    read = edited & set(slice_["params"])
    return dict.fromkeys([*reasons(status), *(f"{key} modified" for key in sorted(read))])


def _edited(coming: Mapping[Path, str]) -> set[str]:
    """Entries whose local files have changed since `entries` wrote down what they hold."""
    try:
        before = inputs.flat(json.loads(INPUTS_FILE.read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError):
        return set()  # DVC says that it is missing
    after = inputs.flat(json.loads(coming[INPUTS_FILE]))
    return {key for key, value in after.items() if key in before and before[key] != value}


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def stage_slice(
    stage: Any, written: Mapping[str, Mapping[str, Any]], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """What one stage runs and depends on, with the values of its parameters.

    Args:
        stage: A stage of DVC.
        written: `params.yaml` and `registry.yaml` as they stand.
        defaults: The whole study, to tell what to write where a key is missing.

    Raises:
        StudyError: A key that the stage names is not written out.
    """
    values = {}
    for file, key in ((str(one), key) for one in stage.params for key in one.params):
        values[key] = written_out.value(Path(file), written[file], key, defaults)
    return {
        "cmd": stage.cmd,
        "deps": [str(dependency) for dependency in stage.deps if dependency not in stage.params],
        "params": values,
        "outs": [str(out) for out in stage.outs],
    }


def reasons(status: Iterable[str | Mapping[str, Mapping[str, Any]]]) -> Iterator[str]:
    """DVC's status of one stage in words, the changed parameters by their keys."""
    for entry in status:
        if isinstance(entry, str):
            yield entry
            continue
        for path, what in (pair for changes in entry.values() for pair in changes.items()):
            if isinstance(what, Mapping):
                yield from (f"{key} {state}" for key, state in what.items())
            else:
                yield f"{path} {what}"


def stale(stages: Iterable[Stage]) -> set[str]:
    """Names of the changed stages and of all that is downstream of them."""
    stages = list(stages)
    reached = [stage for stage in stages if stage.changed]
    names = {stage.name for stage in reached}
    for source in reached:  # grows while it is walked
        for stage in stages:
            if stage.name not in names and stage.reads(source):
                names.add(stage.name)
                reached.append(stage)
    return names


def write_triggers(
    stages: Iterable[Stage], to_run: Collection[str], folder: Path = TRIGGERS
) -> None:
    """Write one trigger per stage: new where the stage is stale, old where it is up to date.

    A new one also says when it was written, because Snakemake takes a file with the bytes of the
    job's last run for unchanged, however new it is. Triggers of stages that the study no longer
    has are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = set()
    for stage in stages:
        path = folder / f"{stage.name}.yaml"
        facts = dict(stage.slice)
        if stage.name in to_run:
            facts["stale"] = {"changed": list(stage.changed), "nanoseconds": time.time_ns()}
        path.write_text(yaml.safe_dump(facts, sort_keys=False, width=100), encoding="utf-8")
        if stage.name not in to_run:
            os.utime(path, (LONG_AGO, LONG_AGO))
        kept.add(path)
    for path in set(folder.glob("*.yaml")) - kept:
        path.unlink()


def summary(stages: Iterable[Stage]) -> Iterator[str]:
    """What DVC found, for the terminal: one line, and one for each changed stage."""
    stages = list(stages)
    new = [stage for stage in stages if NEVER_RUN & set(stage.changed)]
    changed = [stage for stage in stages if stage.changed and stage not in new]
    if not new and not changed:
        yield f"DVC: all {len(stages)} stages are up to date"
        return
    missing = [stage for stage in changed if not _lies_here(stage)]
    changed = [stage for stage in changed if stage not in missing]
    new += missing
    absent, other = len(new), len(changed)
    yield f"DVC: of {len(stages)} stages {absent} have not run here yet, {other} have changed"
    for stage in changed[:SHOWN_STAGES]:
        yield f"  {stage.name}: {', '.join(stage.changed)}"
    if len(changed) > SHOWN_STAGES:
        yield f"  and {len(changed) - SHOWN_STAGES} more (`dvc status` lists all)"


def _lies_here(stage: Stage) -> bool:
    return any(Path(out).exists() for out in stage.slice["outs"])

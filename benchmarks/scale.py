"""Eleven models and five datasets on the fake engine: eight stages at once, then nothing to do.

    python benchmarks/scale.py [FOLDER]

Runs the whole study in FOLDER (default: a temporary one) with eight stages side by side, then
prints seconds (wall clock, and CPU of all processes) of runs that have nothing to do.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.workflow.conftest import Clone, plant, study  # noqa: E402

MODELS = [f"model_{n}" for n in range(11)]
DATASETS = [f"set_{n}" for n in range(5)]


def timed(clone: Clone, *command: str) -> str:
    """Run a command that must succeed, print its seconds, and return what it printed."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run = clone.command(*command, active=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{' '.join(command)}: {wall:.1f} s, {cpu:.1f} s of CPU", flush=True)
    if run.status != 0:
        raise subprocess.CalledProcessError(run.status, command, run.text)
    return run.text


def main() -> None:
    """Plant, run and time the study."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    params = study(MODELS, DATASETS, scorer=MODELS[0], spare=MODELS[0])
    environment = {name: os.environ[name] for name in ("PATH", "HOME")}
    clone = plant(folder, params, {**environment, "HF_HUB_OFFLINE": "1"})
    clone.limit = 3600
    eight = ("--cores", "8", "--resources", "gpu=8", "--set-threads")
    timed(clone, "snakemake", *eight, "generate=1", "perturb=1", "ground=1")
    assert "Nothing to be done" in timed(clone, "snakemake", "--cores", "all")
    assert "up to date" in timed(clone, "dvc", "status")
    timed(clone, "userturn", "status")
    timed(clone, "userturn", "verify")


if __name__ == "__main__":
    main()

"""GPUs of one machine, shared out among processes: no two ever work on the same one.

A process takes as many of the offered devices as its model needs, holds a file lock for each, and
shows CUDA these alone. The kernel lets go of the locks when the process ends, however it ends.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
import subprocess
import time
from typing import TextIO

from userturn.base import locks, paths
from userturn.base.errors import EngineError

log = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"
POLL_S = 0.5

_held: dict[str, TextIO] = {}  # device -> its open lock file, as long as this process lives


def hold(count: int) -> None:
    """Take devices for this process and set CUDA_VISIBLE_DEVICES to them; wait until they are free.

    To be called before CUDA starts. A machine without GPUs has nothing to take. What the process
    holds already it keeps, for CUDA never looks at the variable again.

    Args:
        count: GPUs the model is spread over.

    Raises:
        EngineError: Fewer than that are offered here.
    """
    pool = list(_held) or offered()
    if not pool:
        return
    if count > len(pool):
        raise EngineError(
            f"{count} GPUs are needed and {len(pool)} offered ({VISIBLE}={','.join(pool)}): ask "
            "for more, lower engine.tensor_parallel or engine.pipeline_parallel, or serve the "
            "model over several nodes and take engine.name openai"
        )
    if _held:
        return
    told = False
    while len(taken := _take(pool, count)) < count:
        if not told:
            log.info("waiting for %d of the GPUs %s, which others use", count, ",".join(pool))
            told = True
        time.sleep(POLL_S)
    _held.update(taken)
    os.environ[VISIBLE] = ",".join(taken)
    log.info("on GPU %s", os.environ[VISIBLE])


def offered() -> list[str]:
    """Devices this process may take: those of CUDA_VISIBLE_DEVICES, else all of the machine.

    A scheduler sets the variable to what it gave to the job.
    """
    if (visible := os.environ.get(VISIBLE)) is not None:
        names = (name.strip() for name in visible.split(","))
        return [name for name in names if re.fullmatch(r"\d+|(GPU|MIG)-.+", name)]
    if not (tool := shutil.which("nvidia-smi")):
        return []
    query = [tool, "--query-gpu=index", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.split() if done.returncode == 0 else []


def _take(pool: list[str], count: int) -> dict[str, TextIO]:
    """Lock files of the first free devices, or none where too few are free.

    So nobody holds a device while waiting for another.
    """
    folder = paths.cache() / "gpus"
    taken: dict[str, TextIO] = {}
    for device in pool:
        if len(taken) < count and (handle := locks.take(folder / _lock_name(device))):
            taken[device] = handle
    if len(taken) == count:
        return taken
    for handle in taken.values():
        handle.close()
    return {}


def _lock_name(device: str) -> str:
    """One lock per device, also where machines share the folder.

    SLURM numbers the devices of every job from 0 where it hides the others, and shares none out
    twice, so each of its jobs has locks of its own.
    """
    where = [socket.gethostname()]
    if job := os.environ.get("SLURM_JOB_ID"):
        where.append(f"job{job}")
    return "-".join([*where, device.replace("/", "_")]) + ".lock"

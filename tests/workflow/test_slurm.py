"""The profile `slurm` on a real SLURM of one node, started here on loopback."""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .conftest import TOOLS, plant, study
from .test_gpus import uses

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
SYSTEM = os.pathsep.join(["/usr/sbin", "/usr/bin", "/sbin", "/bin"])
MISSING = [name for name in PROGRAMS if shutil.which(name, path=SYSTEM) is None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"{MISSING} missing (Debian: slurm-wlm, munge)"),
    pytest.mark.skipif(os.geteuid() != 0, reason="slurmd needs root"),
]

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SlurmdParameters=config_overrides
KillWait=2
ReturnToService=2
GresTypes=gpu
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 Port={node} CPUs=32 RealMemory=8000 Gres=gpu:2
PartitionName=all Nodes=node Default=YES MaxTime=60 State=UP
"""


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@pytest.fixture
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment that leads to a cluster of one node with two GPUs, which are but files."""
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    for name in ("gpu0", "gpu1"):
        os.mknod(folder / name, stat.S_IFCHR, os.makedev(1, 3))  # another /dev/null
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    controller, node = free_ports(2)
    host = socket.gethostname().split(".")[0]
    text = CONFIGURATION.format(folder=folder, host=host, controller=controller, node=node)
    (folder / "slurm.conf").write_text(text)
    (folder / "gres.conf").write_text(f"NodeName=node Name=gpu File={folder}/gpu[0-1]\n")
    # The executor takes SLURM's variables from its jobs, and with them the way to this cluster.
    srun = folder / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec /usr/bin/srun "$@"\n')
    srun.chmod(0o755)
    path = os.pathsep.join([str(srun.parent), SYSTEM])
    env = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": path}
    commands = [
        [
            "munged", "--foreground", "--force", f"--key-file={key}",
            f"--socket={folder}/munge.socket", f"--pid-file={folder}/munge.pid",
            f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed",
        ],
        ["slurmctld", "-D"],
        ["slurmd", "-D", "-N", "node"],
    ]  # fmt: skip
    started = []
    try:
        for command in commands:
            with (folder / f"{command[0]}.out").open("w") as out:
                program = shutil.which(command[0], path=SYSTEM)
                started.append(
                    subprocess.Popen([program, *command[1:]], env=env, stdout=out, stderr=out)
                )
            if command[0] == "munged":
                wait_for(lambda: (folder / "munge.socket").exists(), folder)
        wait_for(lambda: "idle" in ask(env, "sinfo", "-h", "-o", "%T"), folder)
        yield env
    finally:
        ask(env, "scancel", "--user=root")
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(30)


def ask(env: dict[str, str], *command: str) -> str:
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    return done.stdout


def wait_for(condition, folder: Path) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        logs = "\n".join(path.read_text() for path in folder.glob("*.out"))
        assert time.monotonic() < deadline, logs
        time.sleep(0.1)


def test_jobs_get_what_their_models_ask_for_and_a_failed_one_goes_on(
    tmp_path: Path, tool_env: dict[str, str], slurm: dict[str, str]
) -> None:
    models = ["alpha", "beta"]
    params = study(models, ["first"], scorer="alpha", spare="alpha")
    for slug, mem_gb in zip(models, (1, 1.5), strict=True):
        params["model"][slug] |= {"resources": {"gpus": 1, "mem_gb": mem_gb, "hours": 0.5}}
    sent, gpus = tmp_path / "sent.log", tmp_path / "gpus.log"
    fail_at = 12
    env = {
        **tool_env,
        **slurm,
        "USERTURN_FAKE_LOG": str(sent),
        "USERTURN_FAKE_GPU_LOG": str(gpus),
        "USERTURN_FAKE_FAIL_AT": str(fail_at),
        "USERTURN_FAKE_DELAY": "0.05",
    }
    (tmp_path / "clone").mkdir()
    clone = plant(tmp_path / "clone", params, env)
    run = clone.command(
        str(TOOLS / "snakemake"), "--workflow-profile", "profiles/slurm",
        "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2",
        "--seconds-between-status-checks", "2", "--latency-wait", "10", "--",
        *(f"data/user_turns/{slug}.parquet" for slug in models),
    )  # fmt: skip
    jobs = ask(slurm, "scontrol", "show", "jobs", "--oneliner").splitlines()
    assert run.status == 0, run.text

    # One job per model, each tried again after it broke.
    by_model = {
        slug: [job for job in jobs if re.search(rf"generate.*{slug}", job)] for slug in models
    }
    for slug in models:
        states = Counter(re.search(r"JobState=(\w+)", job)[1] for job in by_model[slug])
        assert states == {"FAILED": 1, "COMPLETED": 1}, jobs
        for job in by_model[slug]:
            memory = {"alpha": "1000M", "beta": "1500M"}[slug]
            assert f"mem={memory}" in job
            assert "TimeLimit=00:30:00" in job
            assert "TresPerJob=gres:gpu:1" in job
            assert "NumCPUs=8" in job

    # Finished requests were not sent again: only the one that broke each job was.
    times = Counter(Counter(sent.read_text().split()).values())
    assert times[2] == len(models)
    assert set(times) == {1, 2}
    # Jobs that ran at the same time had a GPU each.
    given = [seen for seen, _, _ in uses(gpus).values()]
    assert all(len(seen) == 1 for seen in given)
    assert set().union(*given) == {"0", "1"}

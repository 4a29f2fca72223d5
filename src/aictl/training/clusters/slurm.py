"""A batch script for Slurm: one task on each machine, which starts that machine's processes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from aictl.training.clusters.kubernetes import processes
from aictl.training.clusters.words import job_name, there
from aictl.training.ranks.launch import GRACE_S
from aictl.training.ranks.team import nodes_of
from aictl.training.spec import ClusterSpec, ParallelSpec

# Ports above the well-known ones and below those that Linux gives out, by the job's number, so that two jobs whose
# first machine is the same do not meet.
FIRST_PORT, PORTS = 20_000, 10_000


def script(cluster: ClusterSpec, parallel: ParallelSpec, words: Sequence[str], folder: Path) -> str:
    """The script for ``sbatch``. It is run in ``folder``, which all machines must see."""
    fewest, most = nodes_of(parallel)
    elastic = fewest < most
    lines = [f"--job-name={job_name(words, cluster.job_name)}", f"--nodes={f'{fewest}-{most}' if elastic else most}"]
    lines += ["--ntasks-per-node=1"]
    lines += [f"--gpus-per-node={cluster.gpus_per_node}"] if cluster.gpus_per_node else []
    lines += [f"--partition={cluster.partition}"] if cluster.partition else []
    lines += [f"--time={cluster.time_limit}"] if cluster.time_limit else []
    # Before the time is up, or the machines are taken away, the processes are told to write a checkpoint and stop.
    lines += [f"--signal=TERM@{GRACE_S}", "--requeue", "--open-mode=append"]
    lines += ["--no-kill"] if elastic else []
    options = {"--nproc": processes(cluster, parallel)}
    command = shlex.join(["aictl", *there(words, options)])
    if most > 1:
        command += f' --nnodes "{fewest}:$SLURM_NNODES"' if elastic else f" --nnodes {most}"
        command += ' --rdzv "$head:$port"'
    return "\n".join(
        [
            "#!/bin/bash",
            *(f"#SBATCH {line}" for line in lines),
            "set -euo pipefail",
            f"cd {shlex.quote(str(folder))}",
            # Not through a pipe to head: under pipefail its end would be the script's when there are many names.
            'read -r head < <(scontrol show hostnames "$SLURM_JOB_NODELIST")',
            f"port=$(({FIRST_PORT} + SLURM_JOB_ID % {PORTS}))",
            f"exec srun {'--no-kill --kill-on-bad-exit=0' if elastic else '--kill-on-bad-exit=1'} \\",
            f"  {command}",
            "",
        ]
    )

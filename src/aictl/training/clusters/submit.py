"""What tells a cluster to run a command, as an answer, or handed in to it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from aictl.core.answer import Document
from aictl.core.errors import BadRequest, MachineLacks, WorkFailed
from aictl.training.clusters import kubernetes, slurm
from aictl.training.spec import ClusterSpec, ParallelSpec

SUBMIT_S = 120


def submit(cluster: ClusterSpec, parallel: ParallelSpec, words: Sequence[str]) -> Document:
    """The manifest or script for ``cluster.on``; with ``apply`` it is handed in, and what the cluster says is the
    answer.

    Raises :class:`BadRequest` where an option that it needs is missing, :class:`MachineLacks` where the cluster's
    program is not installed, :class:`WorkFailed` where the cluster refuses.
    """
    if cluster.on == "slurm":
        text = slurm.script(cluster, parallel, words, Path.cwd())
        value: dict[str, Any] = {"script": text}
        program = ["sbatch", "--parsable"]
    else:
        if cluster.image is None:
            raise BadRequest(f"--on {cluster.on} needs an image that has aictl in it", cure="--image REGISTRY/NAME:TAG")
        made = kubernetes.jobset if cluster.on == "k8s" else kubernetes.trainjob
        value = made(cluster, parallel, words)
        text = yaml.safe_dump(value, sort_keys=False, default_flow_style=False, width=110)
        program = ["kubectl", "create", "-f", "-"]
    if not cluster.apply:
        return Document(value, text=text.rstrip("\n"))
    said = _handed_in(program, text)
    return Document({"submitted": said, **value}, text=said)


def _handed_in(program: Sequence[str], text: str) -> str:
    if shutil.which(program[0]) is None:
        raise MachineLacks(
            f"{program[0]} is not installed here", cure=f"without --apply it is printed, for {' '.join(program)}"
        )
    try:
        done = subprocess.run(program, input=text, capture_output=True, text=True, timeout=SUBMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise WorkFailed(f"{program[0]} did not answer within {SUBMIT_S} s") from error
    if done.returncode:
        raise WorkFailed(f"{program[0]} refused: {done.stderr.strip() or f'exit status {done.returncode}'}")
    return done.stdout.strip()

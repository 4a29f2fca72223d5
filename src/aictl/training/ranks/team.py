"""How many processes are asked for, on how many machines."""

from __future__ import annotations

import torch

from aictl.training.spec import ParallelSpec


def processes_here(spec: ParallelSpec) -> int:
    """Processes on this machine."""
    return max(1, torch.cuda.device_count()) if spec.nproc == "auto" else int(spec.nproc)


def nodes_of(spec: ParallelSpec) -> tuple[int, int]:
    """The fewest and the most machines."""
    fewest, _, most = spec.nnodes.partition(":")
    return int(fewest), int(most or fewest)


def processes_of(spec: ParallelSpec) -> int:
    """Processes on the fewest machines."""
    return processes_here(spec) * nodes_of(spec)[0]

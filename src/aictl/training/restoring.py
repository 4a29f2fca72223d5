"""Putting a saved state back, however many processes wrote it and however many there are now."""

from __future__ import annotations

from pathlib import Path

import torch

from aictl.training import sharded, state


def restore(
    path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler, rank: int = 0
) -> dict[str, float]:
    """Put a state back into a model and its optimiser and return its facts; ``rank`` says whose random generators.

    ``path`` is a file of one process or a folder of shards. Raises :class:`Damaged` if it does not fit.
    """
    kind = sharded if sharded.is_sharded(path, model) else state
    return kind.restore(path, model, optimizer, scaler, rank)


def restore_weights(path: Path, model: torch.nn.Module) -> int:
    """Put a state's weights back and nothing else, and return its step."""
    kind = sharded if sharded.is_sharded(path, model) else state
    return kind.restore_weights(path, model)

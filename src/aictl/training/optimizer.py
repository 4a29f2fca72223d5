"""AdamW and its learning rate at each step."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

from aictl.training.spec import OptimizerSpec


def adamw(parameters: Iterable[torch.nn.Parameter], spec: OptimizerSpec) -> torch.optim.AdamW:
    """AdamW (https://arxiv.org/abs/1711.05101), fused into one kernel. Decay is for matrices
    alone: shrinking norms and biases towards zero has no reason."""
    trained = [p for p in parameters if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.dim() >= 2], "weight_decay": spec.weight_decay},
        {"params": [p for p in trained if p.dim() < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=0.0, betas=(spec.beta1, spec.beta2), fused=True)


def learning_rate(step: int, max_steps: int, peak: float, spec: OptimizerSpec) -> float:
    """The rate of ``step`` (the first is 0): linear from ``peak / warm-up`` to ``peak``, then half
    a cosine (https://arxiv.org/abs/1608.03983) down to its final share at the last step."""
    warmup = min(max_steps, math.ceil(max_steps * spec.warmup_fraction))
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, max_steps - 1 - warmup)
    low = peak * spec.final_rate_fraction
    return low + (peak - low) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

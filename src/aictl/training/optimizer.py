"""AdamW and its learning rate at each step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch.distributed.tensor import DTensor

from aictl.training.spec import OptimizerSpec


def adamw(parameters: Iterable[torch.nn.Parameter], spec: OptimizerSpec) -> torch.optim.AdamW:
    """AdamW (https://arxiv.org/abs/1711.05101), fused into one kernel. Decay is for matrices
    alone: shrinking norms and biases towards zero has no reason."""
    trained = [p for p in parameters if p.requires_grad]
    # A fused kernel takes only what lies alike, and some tensors may be in shards.
    layouts = dict.fromkeys(map(_layout, trained))
    groups = [
        {"params": [p for p in trained if _layout(p) == layout and (p.dim() >= 2) is is_matrix], "weight_decay": decay}
        for is_matrix, decay in ((True, spec.weight_decay), (False, 0.0))
        for layout in layouts
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=0.0, betas=(spec.beta1, spec.beta2), fused=True)


def clip(parameters: Sequence[torch.nn.Parameter], most: float) -> float:
    """Scale gradients down to a common 2-norm of ``most`` if it is larger; returns what it was."""
    trained = [parameter for parameter in parameters if parameter.grad is not None]
    if all(_layout(parameter) is None for parameter in trained):
        return torch.nn.utils.clip_grad_norm_(trained, most).item()
    norms = []
    for layout in dict.fromkeys(map(_layout, trained)):
        norm = torch.nn.utils.get_total_norm([p.grad for p in trained if p.grad is not None and _layout(p) == layout])
        norms.append(norm.full_tensor() if isinstance(norm, DTensor) else norm)
    total = torch.linalg.vector_norm(torch.stack(norms))
    local = [p.grad.to_local() if isinstance(p.grad, DTensor) else p.grad for p in trained]
    # As torch.nn.utils.clip_grads_with_norm_ has it.
    torch._foreach_mul_(local, torch.clamp(most / (total + 1e-6), max=1.0))
    return total.item()


def _layout(tensor: torch.Tensor) -> object:
    """Over which processes a tensor's shards lie, and how; None for a whole one."""
    return (tensor.device_mesh, tensor.placements) if isinstance(tensor, DTensor) else None


def learning_rate(step: int, max_steps: int, peak: float, spec: OptimizerSpec) -> float:
    """The rate of ``step`` (the first is 0): linear from ``peak / warm-up`` to ``peak``, then half
    a cosine (https://arxiv.org/abs/1608.03983) down to its final share at the last step."""
    warmup = min(max_steps, math.ceil(max_steps * spec.warmup_fraction))
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, max_steps - 1 - warmup)
    low = peak * spec.final_rate_fraction
    return low + (peak - low) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

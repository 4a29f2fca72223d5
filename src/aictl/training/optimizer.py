"""The optimiser, and its learning rate at each step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.distributed.tensor import DTensor

from aictl.core.errors import BadRequest
from aictl.training.spec import OptimizerSpec


def optimizer_of(model: torch.nn.Module, spec: OptimizerSpec) -> torch.optim.Optimizer:
    """The optimiser of a model's trained parameters. Raises :class:`BadRequest` for Muon over shards."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if spec.optimizer == "adamw":
        return adamw(trained, spec)
    if any(map(_layout, trained)):
        raise BadRequest("--optimizer muon needs whole matrices", cure="--shard none, or --optimizer adamw")
    inner = _inner_matrices(model)
    return _Two(muon(inner, spec), adamw([one for one in trained if not any(one is other for other in inner)], spec))


def adamw(trained: Sequence[torch.nn.Parameter], spec: OptimizerSpec) -> torch.optim.AdamW:
    """AdamW (https://arxiv.org/abs/1711.05101), fused into one kernel. Decay is for matrices
    alone: shrinking norms and biases towards zero has no reason."""
    # A fused kernel takes only what lies alike, and some tensors may be in shards.
    layouts = dict.fromkeys(map(_layout, trained))
    groups = [
        {"params": [p for p in trained if _layout(p) == layout and (p.dim() >= 2) is is_matrix], "weight_decay": decay}
        for is_matrix, decay in ((True, spec.weight_decay), (False, 0.0))
        for layout in layouts
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=0.0, betas=(spec.beta1, spec.beta2), fused=True)


def muon(matrices: Sequence[torch.nn.Parameter], spec: OptimizerSpec) -> torch.optim.Muon:
    """Muon (https://kellerjordan.github.io/posts/muon): momentum made orthogonal. Updates are scaled to AdamW's size
    (https://arxiv.org/abs/2502.16982, section 2.2), so that both have one learning rate and one decay."""
    return torch.optim.Muon(matrices, lr=0.0, weight_decay=spec.weight_decay, adjust_lr_fn="match_rms_adamw")


def _inner_matrices(model: Any) -> list[torch.nn.Parameter]:
    """The trained matrices but those that tokens are looked up in or predicted by."""
    ends = {id(p) for module in model.modules() if isinstance(module, torch.nn.Embedding) for p in module.parameters()}
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    ends |= {id(parameter) for parameter in head.parameters()} if head is not None else set()
    return [p for p in model.parameters() if p.requires_grad and p.dim() == 2 and id(p) not in ends]


class _Two(torch.optim.Optimizer):  # type: ignore[misc]
    """Two optimisers of different parameters, as one."""

    def __init__(self, one: torch.optim.Optimizer, other: torch.optim.Optimizer) -> None:
        self._both = (one, other)
        groups = [{"params": group["params"]} for each in self._both for group in each.param_groups]
        super().__init__(groups, {})
        # The very groups and states of the two: a rate that is set here is theirs.
        self.param_groups = [group for each in self._both for group in each.param_groups]
        self.state = _States(self._both)

    def step(self, closure: Any = None) -> None:
        for each in self._both:
            each.step()


class _States(Mapping[torch.nn.Parameter, Any]):
    """The state of each parameter, with whoever has it."""

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        self._of = {id(p): each.state for each in optimizers for group in each.param_groups for p in group["params"]}
        self._all = [p for each in optimizers for group in each.param_groups for p in group["params"]]

    def __getitem__(self, parameter: torch.nn.Parameter) -> Any:
        return self._of[id(parameter)][parameter]

    def __iter__(self) -> Iterator[torch.nn.Parameter]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


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

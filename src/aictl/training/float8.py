"""Training with matrix products in float8, where the hardware has them: large linear layers become torchao's."""

from __future__ import annotations

from typing import Any

import torch

from aictl.core.errors import BadRequest
from aictl.core.extras import require

# Scaling and casting cost more than the products gain in layers that are smaller
# (https://github.com/pytorch/ao/tree/main/torchao/float8, its figures for tensorwise scaling).
_FEWEST_OUT, _FEWEST_IN = 1024, 4096
_MULTIPLE = 16  # what the hardware asks of both sides of a matrix


def convert(model: Any) -> int:
    """Let the large linear layers of ``model``, but its head, multiply in float8, with one scale for each matrix that
    is found anew at each step. Weights stay as they are, under the same names. Returns how many layers these are.

    Raises :class:`BadRequest` where no layer is large enough to gain from it.
    """
    require("float8")
    from torchao.float8 import convert_to_float8_training

    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    chosen = [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module is not head and _gains(module)
    ]
    if not chosen:
        raise BadRequest(
            "--precision fp8: no layer of this model is large enough to gain from it", cure="--precision bf16"
        )
    convert_to_float8_training(model, module_filter_fn=lambda module, _: any(module is one for one in chosen))
    return len(chosen)


def _gains(layer: torch.nn.Linear) -> bool:
    large = layer.out_features > _FEWEST_OUT or layer.in_features > _FEWEST_IN
    return large and layer.in_features % _MULTIPLE == 0 and layer.out_features % _MULTIPLE == 0


def multiplies_float8(device: torch.device) -> bool:
    """Whether a GPU has float8 matrix products: NVIDIA's from Ada (compute capability 8.9) on, AMD's from MI300 on."""
    if device.type != "cuda":
        return False
    if torch.version.hip:
        return str(torch.cuda.get_device_properties(device).gcnArchName).startswith(("gfx94", "gfx95"))
    return torch.cuda.get_device_capability(device) >= (8, 9)

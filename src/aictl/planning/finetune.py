"""Fine-tuning as a recipe: what is frozen, in how many bytes, and how little is trained beside it.

LoRA (https://arxiv.org/abs/2106.09685) adds to each of a layer's matrices of shape (in, out) two of
(in, rank) and (rank, out). Gradients still flow back to every adapter, so activations are kept as in
full training; no gradient of a frozen matrix is computed. QLoRA (https://arxiv.org/abs/2305.14314)
keeps the frozen matrices in 4 bits and their scales, 0.53 bytes a parameter.
"""

from __future__ import annotations

from typing import Literal

from aictl.planning.kernels import ELEMENT_BYTES
from aictl.planning.layout import Recipe
from aictl.planning.shape import Shape

Method = Literal["full", "lora", "qlora"]
NF4_BYTES = 0.53  # 4 bits, and doubly quantised scales of blocks of 64 (0.127 bits): QLoRA section 3
LOSS_CHUNKS = 8


def adapter_parameters(shape: Shape, rank: int) -> int:
    """Parameters of adapters on every matrix of every layer."""
    return shape.layers * rank * sum(a + b for a, b in shape.adapted)


def finetuning(shape: Shape, recipe: Recipe, method: Method, rank: int, *, chunked_loss: bool) -> Recipe:
    """The recipe for fine-tuning by ``method``."""
    recipe = recipe._replace(logits_chunks=LOSS_CHUNKS if chunked_loss else 1)
    if method == "full":
        return recipe
    matrices = shape.parameters.total
    return recipe._replace(
        trained_share=adapter_parameters(shape, rank) / matrices,
        adapter_rank=rank,
        frozen_bytes=NF4_BYTES if method == "qlora" else float(ELEMENT_BYTES[recipe.precision]),
    )

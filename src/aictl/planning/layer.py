"""How long one layer takes for one microbatch on one rank, by what it spends the time on.

Sizes below: ``tokens`` of the microbatch on this rank, t tensor-parallel ranks, and the shape's
widths. Products are timed one by one: forward, the gradient of their input, the gradient of their
weights. Element-wise kernels are bound by memory and counted in bytes a token: each norm with its
residual reads and writes ``10 · hidden`` bytes (11 with dropout), activation and gate ``4`` or ``6 ·
feed_forward``, rotations and transposes ``4 · (query_width + 2 · key_value_width)``, all at 2 bytes
an element, and twice that backward.
"""

from __future__ import annotations

from typing import NamedTuple

from aictl.planning.kernels import Kernels
from aictl.planning.layout import Layout, Recipe
from aictl.planning.shape import Shape
from aictl.planning.traffic import Fabric, exposed

OPERATORS = 12  # element-wise kernels of one layer's forward pass: norms, rotations, activation, residuals


class Pass(NamedTuple):
    """Seconds of one pass through one layer: arithmetic, memory traffic, and exposed communication of
    tensor, expert and context parallelism."""

    compute: float
    memory: float
    tensor: float
    expert: float
    context: float

    @property
    def total(self) -> float:
        return sum(self)


class LayerTime(NamedTuple):
    """Seconds of one layer: forward, backward, and what recomputation adds to the latter."""

    forward: Pass
    backward: Pass
    again: float

    @property
    def total(self) -> float:
        return self.forward.total + self.backward.total + self.again


def layer_time(shape: Shape, recipe: Recipe, layout: Layout, kernels: Kernels, fabric: Fabric) -> LayerTime:
    """Time of one layer and one microbatch."""
    tokens = recipe.tokens(layout)
    forward_products, backward_products = _products(shape, layout, kernels, tokens, frozen=recipe.frozen)
    if recipe.adapter_rank:
        adapters = _adapters(shape, recipe, layout, kernels, tokens)
        forward_products, backward_products = forward_products + adapters, backward_products + 2 * adapters
    forward_attention, backward_attention = _attention(shape, recipe, layout, kernels, tokens)
    elementwise = _elementwise(shape, recipe, layout, kernels, tokens)

    # Two all-reduces a pass, each a scatter and a gather: https://arxiv.org/abs/1909.08053.
    tensor_ranks = layout.tensor_parallel
    width = kernels.element_bytes
    message = width * tokens * shape.hidden
    reduces = _blocks(shape) * 2 * fabric.gather(message, tensor_ranks, min(tensor_ranks, fabric.reach))
    forward_tensor = exposed(reduces, forward_products, kernels.constants) if recipe.overlap_tensor else reduces
    # Backward they run beside the gradients of the weights: https://arxiv.org/abs/2205.05198 section 6.2.
    backward_tensor = exposed(reduces, backward_products / 2, kernels.constants)
    expert = _expert_exchange(shape, layout, fabric, width * tokens * shape.hidden)
    context = _context_ring(shape, layout, fabric, kernels, tokens=tokens, attention=forward_attention)

    forward = Pass(forward_products + forward_attention, elementwise, forward_tensor, expert, context)
    backward = Pass(backward_products + backward_attention, 2 * elementwise, backward_tensor, expert, context)
    if layout.recompute == "full":
        again = forward.total
    elif layout.recompute == "none":
        again = 0.0
    elif recipe.attention == "unfused":  # the scores alone: https://arxiv.org/abs/2205.05198 section 5
        again = forward_attention
    else:  # the outputs of norms and of the activation
        again = elementwise / 2
    return LayerTime(forward, backward, again)


def _blocks(shape: Shape) -> int:
    """Attention and feed-forward part follow one another, or stand side by side."""
    return 1 if shape.parallel_block else 2


def _products(shape: Shape, layout: Layout, kernels: Kernels, tokens: float, *, frozen: bool) -> tuple[float, float]:
    """Seconds of the matrix products, forward and backward; frozen weights need no gradient."""
    t, hidden = layout.tensor_parallel, shape.hidden
    attention = [
        (tokens, (shape.query_width + 2 * shape.key_value_width) / t, hidden),
        (tokens, hidden, shape.query_width / t),
    ]
    if shape.latent:  # the same arithmetic as its own matrices need
        attention = [(tokens, shape.attention_layer / hidden / t, hidden)]
    inner = shape.feed_forward / t
    if not shape.experts:
        products = [*attention, (tokens, shape.gates * inner, hidden), (tokens, hidden, inner)]
        forward = sum(kernels.product(m, n, k) for m, n, k in products)
        of_input = sum(kernels.product(m, k, n) for m, n, k in products)
        of_weights = 0.0 if frozen else sum(kernels.product(n, k, m) for m, n, k in products)
        return forward, of_input + of_weights
    # Each of this rank's experts sees its share of the tokens of all expert-parallel ranks.
    local = max(1, shape.experts // layout.expert_parallel)
    rows = max(1, tokens * shape.experts_per_token * layout.expert_parallel / shape.experts)
    forward = sum(kernels.product(m, n, k) for m, n, k in attention)
    forward += local * (kernels.product(rows, shape.gates * inner, hidden) + kernels.product(rows, hidden, inner))
    if shape.shared_experts:
        shared = inner * shape.shared_experts
        forward += kernels.product(tokens, shape.gates * shared, hidden) + kernels.product(tokens, hidden, shared)
    return forward, (1 if frozen else 2) * forward


def _adapters(shape: Shape, recipe: Recipe, layout: Layout, kernels: Kernels, tokens: float) -> float:
    """Seconds of the products of each matrix's two adapters, forward; both need the gradients of both factors."""
    rank, t = recipe.adapter_rank, layout.tensor_parallel
    return sum(kernels.product(tokens, rank, a) + kernels.product(tokens, b / t, rank) for a, b in shape.adapted)


def _attention(shape: Shape, recipe: Recipe, layout: Layout, kernels: Kernels, tokens: float) -> tuple[float, float]:
    """Seconds of the attention between its projections, forward and backward: ``4 · tokens ·
    sequence_length · query_width`` FLOPs forward, counted in full."""
    flops = 4 * tokens * recipe.sequence_length * shape.query_width / layout.tensor_parallel
    if recipe.attention == "unfused":
        scores = tokens * recipe.sequence_length * shape.heads / layout.tensor_parallel
        forward = kernels.stored_attention(flops, shape.head_width, scores, dropout=recipe.dropout)
        return forward, 2 * forward
    return kernels.fused_attention(recipe.attention, flops, recipe.sequence_length)


def _elementwise(shape: Shape, recipe: Recipe, layout: Layout, kernels: Kernels, tokens: float) -> float:
    """Seconds of norms, residuals, activation, rotations and transposes, forward."""
    t = layout.tensor_parallel
    if recipe.kernels == "transformers":
        moved = _by_modules(shape, kernels.element_bytes)
        if recipe.adapter_rank:  # what an adapter puts out is scaled, and added
            moved += 5 * kernels.element_bytes * sum(width for _, width in shape.adapted)
        return kernels.move(tokens * moved / t)
    share = t if layout.sequence_parallel else 1
    norms = _blocks(shape) * (11 if recipe.dropout else 10) * shape.hidden / share
    inner = (2 + 2 * shape.gates) * shape.feed_forward * shape.copies
    rotations = 4 * (shape.query_width + 2 * shape.key_value_width)
    scale = kernels.element_bytes / 2 * (1 if recipe.kernels == "fused" else kernels.constants.eager_traffic)
    return OPERATORS * kernels.operator_s + kernels.move(tokens * (norms + (inner + rotations) / t)) * scale


def _by_modules(shape: Shape, width: int) -> float:
    """Bytes of a token and layer that transformers' modules read and write between the products, one
    operator after the other: norms and residuals in fp32, the rest ``width`` bytes an element."""
    norm = 28  # square, mean, scale and weight: three outputs, four inputs
    casts = 5 * (4 + width) if width < 4 else 0  # of what queries, keys, values, gate and up are made from
    around = (2 * norm + casts + 2 * (4 + width + 4)) * shape.hidden
    rotations = 10 * (shape.query_width + shape.key_value_width)  # two products, a half-turn and a sum
    repeated = 2 * (shape.key_value_width + shape.query_width) + 2 * shape.query_width
    activation = (5 if shape.gates > 1 else 2) * shape.feed_forward * shape.copies
    return around + width * (rotations + repeated + activation)


def _expert_exchange(shape: Shape, layout: Layout, fabric: Fabric, message: float) -> float:
    """Seconds of sending tokens to their experts and back: an all-to-all each way."""
    ranks = layout.expert_parallel
    together = min(ranks, max(1, fabric.reach // layout.tensor_parallel))
    return fabric.gather(message * shape.experts_per_token, ranks, together)


def _context_ring(
    shape: Shape, layout: Layout, fabric: Fabric, kernels: Kernels, *, tokens: float, attention: float
) -> float:
    """Seconds of passing keys and values around the context-parallel ranks, beside the scores
    (https://arxiv.org/abs/2310.01889)."""
    ranks = layout.context_parallel
    if ranks == 1:
        return 0.0
    whole = 2 * kernels.element_bytes * tokens * ranks * shape.key_value_width / layout.tensor_parallel
    together = max(1, min(ranks, fabric.reach // layout.tensor_parallel))
    return exposed(fabric.gather(whole, ranks, together), attention, kernels.constants)

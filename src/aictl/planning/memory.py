"""What lies in the memory of the fullest rank, by part.

A parameter in mixed precision has 2 bytes of weight, 4 of gradient summed in fp32, and 12 of
optimizer: an fp32 copy and AdamW's two moments (https://arxiv.org/abs/1910.02054 section 3.1). Under
stage 3 and in fp32 the copy is the weight.

Activations of a token and layer are ``8 · hidden`` bytes around the norms, two more with dropout, and
``4 · query_width + 4 · key_value_width + (4 or 6) · feed_forward`` between them at 2 bytes an element,
divided by the tensor-parallel ranks, the former only under sequence parallelism; scores that are
stored add ``5 · heads · sequence_length``. For a GPT with dropout that is the ``34 + 5 · heads ·
sequence / hidden`` of https://arxiv.org/abs/2205.05198 equation 1.

The modules of transformers, run as they come under autocast, keep more: of each norm its input, what
it normalised (both in fp32) and its output; of attention the queries, keys and values repeated for
every head, its output and the copy that the projection reads; of a gated part four tensors of its width
for three. The logits become their own gradient where they lie (aictl.training.head). Where the matrices are
frozen nothing is kept for their gradients, but each adapter keeps its input, cast once more for it.
"""

from __future__ import annotations

from typing import NamedTuple

from aictl.planning.constants import SHIPPED, Constants
from aictl.planning.kernels import ELEMENT_BYTES
from aictl.planning.layout import Layout, Recipe
from aictl.planning.shape import Shape


class OptimizerCost(NamedTuple):
    """Bytes of an optimizer: its states of one parameter beside the fp32 copy, and what one step
    reads and writes in all (AdamW: gradient 4, copy 8, moments 16, weight 2)."""

    state_bytes: float
    traffic_bytes: float


OPTIMIZERS = {
    "adamw": OptimizerCost(8, 30),
    "adamw-8bit": OptimizerCost(2, 18),
    "adafactor": OptimizerCost(0, 16),
    "sgd": OptimizerCost(4, 22),
}
COPY_BYTES = 4  # of the fp32 copy that is updated
# Attention by blocks (aictl.training.attention): queries of a block, and tokens of the longest row that it is for.
BLOCK, LONGEST = 128, 512


class Memory(NamedTuple):
    """Bytes on the fullest rank."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    gathered: float
    reserve: float

    @property
    def total(self) -> float:
        return sum(self)


def resident(shape: Shape, layout: Layout) -> tuple[float, float]:
    """Parameters on the first stage's ranks before any sharding: those that every data-parallel rank
    has, and those of the experts that this rank has."""
    layers = shape.layers / layout.pipeline_parallel
    tables = 2 if layout.pipeline_parallel == 1 and not shape.tied else 1
    table = shape.vocabulary * shape.hidden / layout.tensor_parallel
    dense = layers * shape.dense_layer / layout.tensor_parallel + tables * table
    return dense, layers * shape.expert_layer / layout.tensor_parallel / layout.expert_parallel


def training_memory(shape: Shape, recipe: Recipe, layout: Layout, constants: Constants = SHIPPED) -> Memory:
    """Bytes on the fullest rank of a training run: the pipeline's first stage."""
    width = ELEMENT_BYTES[recipe.precision]
    dense, experts = resident(shape, layout)
    sharded = (dense + experts * layout.expert_parallel) / layout.data_parallel
    whole = dense + experts
    stage = layout.sharding
    copy_is_weight = stage == 3 or width == COPY_BYTES
    weight_bytes = COPY_BYTES if copy_is_weight else width
    copy_bytes = 0 if copy_is_weight else COPY_BYTES
    state_bytes = OPTIMIZERS[recipe.optimizer].state_bytes + copy_bytes
    weights, trained = weight_bytes * (sharded if stage == 3 else whole), recipe.trained_share
    if recipe.frozen:
        ranks = layout.data_parallel if stage == 3 else 1
        weights = frozen_bytes(shape, recipe, layout) / ranks + (weight_bytes * trained * whole)
    kept = activations(shape, recipe, layout) * width / 2
    logits = _logits(shape, recipe, layout) / recipe.logits_chunks
    reserve = constants.reserve_bytes if layout.ranks > 1 else constants.lone_reserve_bytes
    if recipe.kernels == "transformers":  # tensors of many sizes come and go, and leave gaps
        reserve += constants.fragmentation * (kept + logits)
    return Memory(
        weights=weights,
        gradients=recipe.gradient_bytes * trained * (sharded if stage >= 2 else whole),
        optimizer=state_bytes * trained * (sharded if stage >= 1 else whole),
        activations=kept,
        logits=logits,
        gathered=_gathered(shape, layout, recipe.frozen_bytes or width) if stage == 3 else 0.0,
        reserve=reserve,
    )


def _gathered(shape: Shape, layout: Layout, weight_bytes: float) -> float:
    """Bytes of the two layers whose weights are whole at once: the one at work and the next."""
    return 2 * weight_bytes * shape.layer / layout.tensor_parallel / layout.expert_parallel


def frozen_bytes(shape: Shape, recipe: Recipe, layout: Layout) -> float:
    """Bytes of weights that stand still, before sharding; only a layer's matrices are quantised."""
    dense, experts = resident(shape, layout)
    layers = shape.layers / layout.pipeline_parallel / layout.tensor_parallel * shape.dense_layer
    tables = dense - layers
    return recipe.frozen_bytes * (layers + experts) + max(recipe.frozen_bytes, 2) * tables


def activations(shape: Shape, recipe: Recipe, layout: Layout) -> float:
    """Bytes kept for the backward pass by a rank of the first stage, at 2 bytes an element."""
    t = layout.tensor_parallel
    tokens = recipe.microbatch_tokens(layout)
    share = t if layout.sequence_parallel else 1
    kept = _kept(shape, recipe, layout) / t + _around_norms(shape, recipe, layout) / share
    scores = 0.0
    if recipe.attention == "unfused":
        scores = 5 * shape.heads * recipe.sequence_length / t
    elif recipe.attention == "blocks":
        scores = shape.heads * block_weights_bytes(recipe.sequence_length) / t
    layers = layers_in_flight(shape, recipe, layout)
    if layout.recompute == "full":
        return layers * tokens * 2 * shape.hidden / share + tokens * (kept + scores)
    return layers * tokens * (kept + (scores if layout.recompute == "none" else 0.0))


def block_weights_bytes(length: int) -> float:
    """Bytes of a position and head that attention by blocks keeps for the backward pass: the weights of all keys up to
    the end of the position's block, in float32 and in bf16."""
    blocks = [(start, min(start + BLOCK, length)) for start in range(0, length, BLOCK)]
    return 6 * sum(end * (end - start) for start, end in blocks) / length


def layers_in_flight(shape: Shape, recipe: Recipe, layout: Layout) -> float:
    """Layers times microbatches that the first stage keeps: it is as many microbatches ahead of the last
    as there are stages, and more when it holds several of them (https://arxiv.org/abs/2205.05198 section
    4.2.3)."""
    stages = layout.pipeline_parallel
    layers = min(recipe.microbatches(layout), stages) / stages * shape.layers
    return layers * (1 + (stages - 1) / (stages * layout.interleave)) if layout.interleave > 1 else layers


def _around_norms(shape: Shape, recipe: Recipe, layout: Layout) -> float:
    """Bytes of a token and layer that tensor parallelism alone does not divide."""
    if recipe.kernels == "transformers":
        width = 4 / ELEMENT_BYTES[recipe.precision]  # of fp32, in elements of the recipe's
        kept = 4 * width if recipe.frozen else 8 * width + 4
        return (kept + (2 if recipe.dropout else 0)) * shape.hidden
    lean = layout.recompute == "selective" and recipe.attention != "unfused"
    return ((4 if lean else 8) + (2 if recipe.dropout else 0)) * shape.hidden


def _kept(shape: Shape, recipe: Recipe, layout: Layout) -> float:
    """Bytes of a token and layer inside attention and feed-forward part."""
    if recipe.kernels == "transformers":
        inner = 4 * shape.gates * shape.feed_forward * shape.copies
        if not recipe.frozen:
            return 10 * shape.query_width + inner
        return 8 * shape.query_width + inner - 2 * shape.feed_forward * shape.copies + _adapted(shape)
    lean = layout.recompute == "selective" and recipe.attention != "unfused"
    inner = (2 + 2 * shape.gates - (2 if lean else 0)) * shape.feed_forward * shape.copies
    return 4 * shape.query_width + 4 * shape.key_value_width + inner


def _adapted(shape: Shape) -> float:
    """Bytes of a token and layer that adapters keep: the input of each matrix, cast once more for it."""
    return 2 * sum(width for width, _ in shape.adapted)


def _logits(shape: Shape, recipe: Recipe, layout: Layout) -> float:
    """Bytes of the logits: themselves at 2 bytes, and softmax and gradient in fp32; or themselves alone. With a
    pipeline they lie on the last stage, which has fewer activations."""
    if layout.pipeline_parallel > 1:
        return 0.0
    each = 10
    if recipe.kernels == "transformers":
        each = ELEMENT_BYTES[recipe.precision]
    return each * recipe.microbatch_tokens(layout) * shape.vocabulary / layout.tensor_parallel

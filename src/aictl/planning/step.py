"""How long one optimizer step takes, by part.

A rank works through its microbatches, waits for the pipeline to fill and drain, exchanges gradients
and updates its share of the parameters. The slowest stage sets the pace: ``ceil(layers / stages)``
layers with the head on the last one, or an even share of all where the ends are balanced.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from aictl.planning.constants import Constants
from aictl.planning.kernels import Kernels
from aictl.planning.layer import LayerTime, layer_time
from aictl.planning.layout import Layout, Recipe
from aictl.planning.memory import OPTIMIZERS
from aictl.planning.shape import Shape
from aictl.planning.traffic import Fabric, exposed


class StepTime(NamedTuple):
    """Seconds of one step by part; they add up to it.

    ``compute`` is matrix products and attention, ``memory`` element-wise kernels, logits and the sums
    of gradients, ``recomputation`` what is done again for the backward pass. Of communication only what
    is exposed counts: ``tensor``, ``expert``, ``context`` parallelism, ``gather`` of sharded weights,
    ``pipeline`` sends, ``gradients``. ``bubble`` is waiting for the pipeline, ``host`` launches and
    stragglers.
    """

    compute: float
    memory: float
    recomputation: float
    tensor: float
    expert: float
    context: float
    gather: float
    pipeline: float
    gradients: float
    bubble: float
    optimizer: float
    host: float

    @property
    def total(self) -> float:
        return sum(self)

    @property
    def communication(self) -> float:
        return self.tensor + self.expert + self.context + self.gather + self.pipeline + self.gradients


class Cluster(NamedTuple):
    """Accelerators at work in one number format, and what joins them."""

    kernels: Kernels
    fabric: Fabric

    @property
    def constants(self) -> Constants:
        return self.kernels.constants


LayerTimes = Callable[[Shape, Recipe, Layout, Kernels, Fabric], LayerTime]


class _Rank(NamedTuple):
    """One rank of a stage: its layers' time, and the parameters it has, those that every data-parallel
    rank shares and those of its experts."""

    shape: Shape
    recipe: Recipe
    layout: Layout
    cluster: Cluster
    layer: LayerTime
    dense: float
    experts: float

    @property
    def layers(self) -> float:
        return self.shape.layers / self.layout.pipeline_parallel

    @property
    def parameters(self) -> float:
        return self.dense + self.experts

    @property
    def element_bytes(self) -> int:
        return self.cluster.kernels.element_bytes

    @property
    def replicas(self) -> int:
        """Ranks that share its dense parameters within a slice."""
        return self.layout.data_parallel // self.layout.slices

    def gathered(self, size_bytes: float) -> float:
        """Seconds to gather or scatter ``size_bytes`` a parameter over the data-parallel ranks, experts
        among fewer of them."""
        layout, fabric = self.layout, self.cluster.fabric
        closest = layout.tensor_parallel * layout.context_parallel  # these ranks lie together
        together = max(1, min(layout.data_parallel, fabric.reach // closest))
        seconds = fabric.gather(size_bytes * self.dense, self.replicas, together)
        if self.experts:
            fewer = max(1, self.replicas // layout.expert_parallel)
            seconds += fabric.gather(size_bytes * self.experts, fewer, max(1, together // layout.expert_parallel))
        return seconds


def step_time(
    shape: Shape, recipe: Recipe, layout: Layout, cluster: Cluster, layers_time: LayerTimes = layer_time
) -> StepTime:
    """Time of one step. ``layers_time`` lets a search remember layers that it has seen."""
    kernels = cluster.kernels
    one = layers_time(shape, recipe, layout, kernels, cluster.fabric)
    rank = _Rank(shape, recipe, layout, cluster, one, *_stage_parameters(shape, layout))
    microbatches, stages = recipe.microbatches(layout), layout.pipeline_parallel
    even = layout.balanced_ends or stages == 1
    layers = rank.layers if even else math.ceil(rank.layers)
    head_share = 1 / stages if even else 1.0
    head_products, head_traffic = _head(shape, recipe, layout, kernels)

    sums = 0.0
    if layout.sharding < 3:  # gradients are added into their fp32 sum
        each = 8.0 if microbatches > 1 else 4.0
        if recipe.kernels == "transformers" and kernels.element_bytes < 4:
            each += 12  # autocast writes the weights in 16 bits, and their gradients back in 32
        sums = kernels.move(each * rank.parameters * recipe.trained_share)
    gather = _weight_gathers(rank)
    both = (one.forward, one.backward)
    compute = layers * sum(p.compute for p in both) + head_share * head_products
    memory = layers * sum(p.memory for p in both) + head_share * head_traffic + sums
    tensor, expert, context = (layers * (one.forward[i] + one.backward[i]) for i in (2, 3, 4))
    again = layers * one.again
    stage = compute + memory + again + tensor + expert + context + gather

    parts = StepTime(
        compute=microbatches * compute,
        memory=microbatches * memory,
        recomputation=microbatches * again,
        tensor=microbatches * tensor,
        expert=microbatches * expert,
        context=microbatches * context,
        gather=microbatches * gather,
        pipeline=_sends(rank),
        gradients=_gradients(rank),
        bubble=(stages - 1) / layout.interleave * stage,
        optimizer=_update(rank),
        host=0.0,
    )
    return parts._replace(host=parts.total * (_host(layout, cluster) - 1))


def _stage_parameters(shape: Shape, layout: Layout) -> tuple[float, float]:
    """Parameters of a stage's rank: those that all data-parallel ranks share, and its experts'."""
    layers = shape.layers / layout.pipeline_parallel / layout.tensor_parallel
    table = shape.vocabulary * shape.hidden / layout.tensor_parallel / layout.pipeline_parallel
    return layers * shape.dense_layer + table, layers * shape.expert_layer / layout.expert_parallel


def _head(shape: Shape, recipe: Recipe, layout: Layout, kernels: Kernels) -> tuple[float, float]:
    """Seconds of the output head of one microbatch: its products, and the loss."""
    tokens, columns = recipe.tokens(layout), shape.vocabulary / layout.tensor_parallel
    products = kernels.product(tokens, columns, shape.hidden) + kernels.product(tokens, shape.hidden, columns)
    if not recipe.frozen:
        products += kernels.product(columns, shape.hidden, tokens)
    return products, kernels.loss(tokens * columns)


def _weight_gathers(rank: _Rank) -> float:
    """Stage 3: weights are gathered forward and backward and gradients scattered, for each microbatch,
    beside the layers that they serve."""
    if rank.layout.sharding < 3:
        return 0.0
    frozen, constants = rank.recipe.frozen, rank.cluster.constants
    once = rank.gathered(rank.recipe.frozen_bytes or rank.element_bytes)
    forward = once * (2 if rank.layout.recompute == "full" else 1)
    backward = once * (1 if frozen else 2)  # what is frozen has no gradients to scatter
    return exposed(forward, rank.layers * rank.layer.forward.total, constants) + exposed(
        backward, rank.layers * rank.layer.backward.total, constants
    )


def _sends(rank: _Rank) -> float:
    """Activations and their gradients from stage to stage: each tensor-parallel rank sends its part."""
    layout, recipe = rank.layout, rank.recipe
    if layout.pipeline_parallel == 1:
        return 0.0
    size = rank.element_bytes * recipe.microbatch_tokens(layout) * rank.shape.hidden / layout.tensor_parallel
    # Where a pipeline is longer than a node, some hop leaves it, and the slowest sets the pace.
    send = rank.cluster.fabric.send(size, between_nodes=layout.ranks > rank.cluster.fabric.reach)
    return recipe.microbatches(layout) * 2 * layout.interleave * send


def _gradients(rank: _Rank) -> float:
    """The exchange of gradients after the last microbatch: scattered, and the new weights gathered."""
    shape, recipe, layout, seconds = rank.shape, rank.recipe, rank.layout, 0.0
    if layout.sharding < 3 and layout.data_parallel > 1:
        scatter = rank.gathered(recipe.gradient_bytes)
        gather = rank.gathered(rank.element_bytes) if layout.sharding else scatter
        seconds = (scatter + gather) * recipe.trained_share
        if recipe.overlap_gradients:
            beside = rank.layer.backward.total + (rank.layer.forward.total if layout.sharding else 0)
            seconds = exposed(seconds, rank.layers * beside, rank.cluster.constants)
    if layout.slices > 1:  # an all-reduce over the network, beside nothing
        whole = shape.layers * shape.layer + shape.vocabulary * shape.hidden
        share = whole / (rank.replicas * layout.tensor_parallel)
        seconds += 2 * rank.element_bytes * share / rank.cluster.fabric.network
    return seconds


def _update(rank: _Rank) -> float:
    """The optimizer reads and writes each parameter that this rank owns."""
    mine = rank.parameters
    if rank.layout.sharding:
        mine = (rank.dense + rank.experts * rank.layout.expert_parallel) / rank.replicas
    traffic = OPTIMIZERS[rank.recipe.optimizer].traffic_bytes * rank.recipe.trained_share
    return rank.cluster.kernels.move(traffic * mine)


def _host(layout: Layout, cluster: Cluster) -> float:
    """How much longer than its parts a step takes: more for each doubling of the hosts."""
    hosts = max(1, layout.ranks / cluster.fabric.per_node)
    return cluster.constants.host * (1 + cluster.constants.straggling * math.log2(hosts))

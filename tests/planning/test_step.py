"""A step's time by part: what each choice of a layout costs and saves."""

from __future__ import annotations

import pytest

from aictl.planning.catalogue import accelerator, link
from aictl.planning.layout import Layout, Recipe
from aictl.planning.search import cluster
from aictl.planning.shape import Shape
from aictl.planning.step import step_time

GPT3 = Shape(96, 12288, 96, 51200, 96, 128, 4 * 12288)
A100 = cluster(accelerator("a100-80gb"), "bf16")
RECIPE = Recipe(2048, 1536)
MEGATRON = Layout(
    data_parallel=16,
    tensor_parallel=8,
    pipeline_parallel=8,
    interleave=6,
    microbatch=1,
    sharding=1,
    sequence_parallel=True,
)


def step(layout=MEGATRON, recipe=RECIPE, shape=GPT3, machine=A100):
    return step_time(shape, recipe, layout, machine)


def test_the_arithmetic_is_most_of_it_and_no_faster_than_the_chip():
    flops = GPT3.flops_per_token(2048) * 1536 * 2048
    assert 0.5 * step().total < step().compute
    assert step().compute > flops / 1024 / A100.kernels.peak


def test_interleaving_shortens_the_bubble_and_sends_more():
    plain, six = step(MEGATRON._replace(interleave=1)), step()
    assert plain.bubble == pytest.approx(6 * six.bubble)
    assert six.pipeline == pytest.approx(6 * plain.pipeline)
    assert step(MEGATRON._replace(pipeline_parallel=1, data_parallel=128)).bubble == 0


def test_a_pipeline_across_nodes_waits_for_the_network():
    slow = cluster(accelerator("a100-80gb").with_links(network=link("ethernet-10-tcp")), "bf16")
    across = Layout(data_parallel=4, pipeline_parallel=16, microbatch=1)
    assert step(across, machine=slow).pipeline > 20 * step(across).pipeline
    inside = Layout(data_parallel=2, pipeline_parallel=4, microbatch=1)
    assert step(inside, machine=slow).pipeline == step(inside).pipeline


def test_recomputation_has_its_own_part():
    none, some, full = (step(MEGATRON._replace(recompute=one)) for one in ("none", "selective", "full"))
    assert none.recomputation == 0
    assert 0 < some.recomputation < full.recomputation
    assert full.compute == none.compute
    # A forward pass again, where a step is a forward and a backward of twice that.
    assert full.recomputation == pytest.approx((none.compute + none.memory + none.tensor) / 3, rel=0.2)


def test_stored_scores_recompute_their_attention_selectively():
    stored = RECIPE._replace(attention="unfused", dropout=True)
    selective = step(MEGATRON._replace(recompute="selective"), stored)
    assert 0.02 < selective.recomputation / selective.total < 0.2


def test_tensor_parallelism_talks_and_a_slow_link_talks_longer():
    alone = MEGATRON._replace(tensor_parallel=1, data_parallel=128, sequence_parallel=False)
    assert step(alone).tensor == 0
    pcie = cluster(accelerator("a100-80gb").with_links(link("pcie4")), "bf16")
    assert step(machine=pcie).tensor > 3 * step().tensor


def test_sharded_weights_are_gathered_and_overlap_hides_gradients():
    sharded = Layout(data_parallel=1024, sharding=3, microbatch=1, recompute="full")
    assert step(sharded).gather > 0
    assert step(sharded).gradients == 0
    assert step(recipe=RECIPE._replace(overlap_gradients=False)).gradients > step().gradients


def test_eager_kernels_move_more_bytes():
    eager = step(recipe=RECIPE._replace(kernels="eager"))
    assert eager.memory > 1.1 * step().memory
    assert eager.compute == step().compute


def test_frozen_weights_need_two_passes_of_products_for_three():
    small = Layout(data_parallel=1, microbatch=1)
    lora = RECIPE._replace(batch=1, trained_share=0.01, frozen_bytes=2.0)
    whole, frozen = step(small, RECIPE._replace(batch=1)), step(small, lora)
    assert 0.6 < frozen.compute / whole.compute < 0.75
    assert frozen.optimizer == pytest.approx(0.01 * whole.optimizer)


def test_experts_exchange_tokens_and_long_sequences_keys():
    mixtral = Shape(32, 4096, 32, 32000, 8, 128, 14336, gated=True, experts=8, experts_per_token=2)
    recipe = Recipe(4096, 512)
    local = step(Layout(data_parallel=64, sharding=1), recipe, mixtral)
    spread = step(Layout(data_parallel=64, expert_parallel=8, sharding=1), recipe, mixtral)
    assert local.expert == 0 < spread.expert
    ring = step(Layout(data_parallel=8, context_parallel=8, sharding=1), Recipe(131072, 8), mixtral)
    assert ring.context > 0


def test_more_hosts_straggle_more():
    few, many = step(MEGATRON._replace(data_parallel=1), RECIPE._replace(batch=96)), step()
    assert many.host / many.total > few.host / few.total


def test_parts_add_up_to_the_whole():
    assert sum(step()) == pytest.approx(step().total)
    assert step().communication < step().total

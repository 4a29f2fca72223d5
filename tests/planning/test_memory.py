"""Memory against the formulas of the papers, and against what runs were published to take."""

from __future__ import annotations

import statistics

import pytest
from tests.bench import planner_serving

from aictl.planning.finetune import adapter_parameters, finetuning
from aictl.planning.layout import Layout, Recipe
from aictl.planning.memory import activations, training_memory
from aictl.planning.shape import Shape

GPT3 = Shape(96, 12288, 96, 51200, 96, 128, 4 * 12288)
OLD = Recipe(2048, 8, attention="unfused", dropout=True)
S, H, A, LAYERS = 2048, 12288, 96, 96


@pytest.mark.parametrize(
    ("layout", "of_a_token_and_layer"),
    [
        (Layout(), 34 * H + 5 * A * S),
        (Layout(tensor_parallel=8), 10 * H + 24 * H / 8 + 5 * A * S / 8),
        (Layout(tensor_parallel=8, sequence_parallel=True), (34 * H + 5 * A * S) / 8),
        (Layout(tensor_parallel=8, sequence_parallel=True, recompute="selective"), 34 * H / 8),
    ],
)
def test_activations_are_those_of_korthikanti_et_al(layout, of_a_token_and_layer):
    """https://arxiv.org/abs/2205.05198, equations 1, 2, 4 and 6."""
    assert activations(GPT3, OLD, layout) == pytest.approx(S * LAYERS * of_a_token_and_layer)


def test_a_pipeline_s_first_stage_is_ahead_by_its_length():
    staged = Layout(pipeline_parallel=8, microbatch=1, data_parallel=1)
    recipe = OLD._replace(batch=64)
    assert activations(GPT3, recipe, staged) == pytest.approx(activations(GPT3, recipe, Layout()))
    interleaved = activations(GPT3, recipe, staged._replace(interleave=4))
    assert interleaved == pytest.approx(activations(GPT3, recipe, staged) * (1 + 7 / 32))


def test_a_parameter_takes_18_bytes_and_sharding_divides_them():
    one = training_memory(GPT3, OLD, Layout())
    parameters = GPT3.layers * GPT3.layer + 2 * GPT3.vocabulary * GPT3.hidden
    assert (one.weights, one.gradients, one.optimizer) == (2 * parameters, 4 * parameters, 12 * parameters)
    stages = [training_memory(GPT3, OLD, Layout(data_parallel=8, sharding=stage)) for stage in range(4)]
    assert stages[1].optimizer == one.optimizer / 8
    assert stages[2].gradients == one.gradients / 8
    assert stages[3].weights + stages[3].optimizer == pytest.approx((4 + 8) * parameters / 8)
    assert [one.total for one in stages] == sorted((one.total for one in stages), reverse=True)


def test_experts_are_shared_out_and_sharded_once():
    mixtral = Shape(32, 4096, 32, 32000, 8, 128, 14336, gated=True, experts=8, experts_per_token=2)
    recipe = Recipe(4096, 64)
    spread = training_memory(mixtral, recipe, Layout(data_parallel=8, expert_parallel=8, sharding=1))
    whole = training_memory(mixtral, recipe, Layout(data_parallel=8, sharding=1))
    assert spread.weights < whole.weights / 5
    assert spread.optimizer == pytest.approx(whole.optimizer)


def test_lora_trains_little_and_qlora_keeps_little():
    shape, recipe = planner_serving.LLAMA_8B, Recipe(2048, 1)
    assert adapter_parameters(shape, 16) == pytest.approx(41.9e6, rel=0.01)  # as peft counts for all linear layers
    full, lora, qlora = (
        training_memory(shape, finetuning(shape, recipe, method, 16, chunked_loss=False), Layout(recompute="full"))
        for method in ("full", "lora", "qlora")
    )
    assert full.optimizer > 100 * lora.optimizer
    assert full.weights < lora.weights < full.weights * 1.02
    assert qlora.weights < 0.4 * lora.weights
    assert qlora.activations == lora.activations == full.activations


def test_published_memory_is_met():
    for table in (planner_serving.pretraining_memory, planner_serving.finetuning_memory):
        errors = [abs(row.error) for row in table()]
        assert len(errors) >= 6
        assert max(errors) <= 0.15
        assert statistics.median(errors) <= 0.10

from __future__ import annotations

import pytest
import torch

from aictl.core.events import silent
from aictl.training.loop import fit
from aictl.training.objective import next_token_loss
from aictl.training.precision import Compute
from aictl.training.utilisation import flops_per_position, peak_flops


def test_the_products_of_a_position_are_those_of_its_matrices(job):
    made = job()
    torch.manual_seed(4)
    before = torch.get_rng_state()
    found = flops_per_position(made.model, next_token_loss, made.held_out[0], made.compute)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(parameter.grad is None for parameter in made.model.parameters())
    matrices = sum(p.numel() for p in made.model.parameters() if p.dim() == 2)  # the embedding is the head as well
    assert found >= 6 * matrices  # two passes back for one forward, an addition for each product
    assert found < 8 * matrices  # what is beyond is attention


def test_a_frozen_model_costs_less_to_go_back_through(job):
    made = job()
    whole = flops_per_position(made.model, next_token_loss, made.held_out[0], made.compute)
    for name, parameter in made.model.named_parameters():
        parameter.requires_grad_("layers.1" in name)
    assert flops_per_position(made.model, next_token_loss, made.held_out[0], made.compute) < 0.85 * whole


def test_the_peak_is_one_that_a_run_stays_below(job):
    before = torch.get_rng_state()
    assert peak_flops(Compute(torch.device("cpu"), "fp32")) > 1e8
    assert torch.equal(torch.get_rng_state(), before)
    outcome = fit(job(max_steps=4), silent)
    assert outcome.metrics()["mfu"] == pytest.approx(outcome.mfu, abs=1e-4)
    assert 0 < outcome.mfu < 1

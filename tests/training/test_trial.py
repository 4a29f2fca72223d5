from __future__ import annotations

import pytest
import torch
from transformers import ResNetConfig, ResNetForImageClassification

from aictl.training.batches import FieldBatch
from aictl.training.forecast import Forecast
from aictl.training.objective import class_loss
from aictl.training.precision import Compute
from aictl.training.spec import ParallelSpec
from aictl.training.trial import forecast

CPU = Compute(torch.device("cpu"), "fp32", tokens_at_once=10**6)


def network() -> ResNetForImageClassification:
    """Its normalisation keeps running statistics."""
    torch.manual_seed(1)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=3)
    return ResNetForImageClassification(config)


def pictures(rows: int) -> FieldBatch:
    fields = {"pixel_values": torch.randn(rows, 3, 32, 32), "labels": torch.arange(rows) % 3}
    return FieldBatch(fields, torch.ones(rows, dtype=torch.int64), width=64)


def tried(model, batch, compute=CPU, **more) -> Forecast:
    given = {"rows": 8, "max_steps": 5, "parallel": ParallelSpec(), "usable_bytes": None, "timed": False}
    return forecast(model, batch, class_loss, compute, **(given | more))


def test_the_trial_leaves_the_model_and_the_random_numbers_as_they_were():
    model, batch = network(), pictures(8)
    before = {name: one.clone() for name, one in model.state_dict().items()}
    state = torch.random.get_rng_state()
    tried(model, batch, timed=True)
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    assert all(one.grad is None for one in model.parameters())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_activations_grow_with_what_goes_through_together_and_nothing_else_does():
    model = network()
    few, many = tried(model, pictures(4)), tried(model, pictures(16))
    ratio = many.memory_bytes["activations"] / few.memory_bytes["activations"]
    assert ratio == pytest.approx(4, rel=0.05)
    for part in ("weights", "gradients", "optimizer", "checkpoint"):
        assert many.memory_bytes[part] == few.memory_bytes[part]
    parted = tried(model, pictures(16), Compute(torch.device("cpu"), "fp32", tokens_at_once=4 * 64))
    assert parted.memory_bytes["activations"] == pytest.approx(few.memory_bytes["activations"], rel=0.05)


def test_what_stands_still_has_no_gradient_and_no_moments():
    model = network()
    for one in model.resnet.parameters():
        one.requires_grad_(False)
    found = tried(model, pictures(4))
    head = sum(one.numel() for one in model.classifier.parameters())
    assert (found.trained, found.memory_bytes["gradients"]) == (head, 4 * head)
    assert found.memory_bytes["optimizer"] == 8 * head


def test_processes_on_one_cpu_have_a_part_of_its_memory_each():
    found = tried(network(), pictures(4), parallel=ParallelSpec(nproc="2"), usable_bytes=2e9)
    assert (found.processes, found.usable_bytes) == (2, 1e9)

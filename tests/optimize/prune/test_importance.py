"""Parts that do nothing are the least important, and padding counts for nothing."""

from __future__ import annotations

import pytest
import torch

from aictl.core.events import silent
from aictl.optimize.lessons import open_lesson
from aictl.optimize.prune.anatomy import Body
from aictl.optimize.prune.calibration import InputNorms, calibration_of, positions
from aictl.optimize.prune.importance import group_importance, layer_importance, neuron_importance
from aictl.optimize.prune.spec import PruneSpec
from aictl.training import precision
from aictl.training.batches import IGNORED, FieldBatch, TokenBatch
from aictl.training.spec import PrecisionSpec


@pytest.fixture
def opened(language_model, texts, tmp_path):
    compute = precision.choose(PrecisionSpec(precision="fp32", device="cpu"))
    found = open_lesson(language_model, texts, PruneSpec(), compute, scratch=tmp_path, events=silent)
    return found.model, calibration_of(found.model, found.lesson, 16, compute)


def test_a_group_of_heads_that_gives_nothing_has_no_importance(opened):
    model, calibration = opened
    body = Body(model)
    model.model.layers[1].self_attn.v_proj.weight.data[:16] = 0
    found = group_importance(body, calibration, silent)
    assert found.shape == (3, 2)
    assert found[1, 0] == 0
    assert (found.flatten()[[0, 1, 3, 4, 5]] > 0).all()


def test_a_neuron_that_gives_nothing_has_no_importance(opened):
    model, calibration = opened
    model.model.layers[2].mlp.up_proj.weight.data[5] = 0
    model.model.layers[2].mlp.down_proj.weight.data[:, 7] = 0
    found = neuron_importance(Body(model), calibration, silent)
    assert found.shape == (3, 96)
    assert found[2, 5] == found[2, 7] == 0
    assert (found > 0).sum() == found.numel() - 2


def test_a_layer_that_changes_nothing_has_no_importance(opened):
    model, calibration = opened
    layer = model.model.layers[1]
    layer.self_attn.o_proj.weight.data.zero_()
    layer.mlp.down_proj.weight.data.zero_()
    found = layer_importance(Body(model), calibration, silent)
    assert found[1] == pytest.approx(0, abs=1e-6)
    assert found[0] > 1e-3 and found[2] > 1e-3


def test_norms_are_those_of_all_that_a_layer_was_given(opened):
    model, calibration = opened
    layer = model.model.layers[0].mlp.down_proj
    given = []
    handle = layer.register_forward_pre_hook(lambda module, arguments: given.append(arguments[0]))
    found = InputNorms({"it": layer}).measure(model, calibration, silent)["it"]
    handle.remove()
    real = [positions(part) for part in calibration.parts(silent)]
    plain = torch.cat([one[mask] for one, mask in zip(given, real, strict=True)])
    assert torch.allclose(found, plain.norm(dim=0), rtol=1e-4)


def test_positions_are_those_before_the_last_target_or_of_the_mask():
    targets = torch.tensor([[IGNORED, 3, IGNORED], [4, IGNORED, IGNORED]])
    found = positions(TokenBatch(torch.zeros_like(targets), targets, 2))
    assert found is not None and found.tolist() == [[True, True, False], [True, False, False]]
    mask = torch.tensor([[1, 0]])
    assert positions(FieldBatch({"attention_mask": mask}, torch.ones(1), 2)).tolist() == [[True, False]]
    assert positions(FieldBatch({"pixel_values": mask}, torch.ones(1), 2)) is None

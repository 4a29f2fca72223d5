"""Which weights are left out."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    MixtralConfig,
    MixtralForCausalLM,
    ResNetConfig,
    ResNetForImageClassification,
)

from aictl.core.errors import BadRequest
from aictl.optimize.prune.sparse import KeptZeros, matrices, pattern_mask, rows_first, share_mask


def test_the_lowest_share_goes_by_row_or_of_all():
    scores = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
    assert share_mask(scores, 0.5, by_row=True).tolist() == [[False, False, True, True]] * 2
    assert share_mask(scores, 0.5, by_row=False).tolist() == [[False] * 4, [True] * 4]


def test_a_pattern_keeps_the_highest_of_each_few():
    scores = torch.tensor([[4.0, 1.0, 3.0, 2.0, 0.0, 0.0, 0.0, 9.0]])
    assert pattern_mask(scores, 2, 4).tolist() == [[True, False, True, False, True, False, False, True]]


def test_embeddings_and_head_stay_whole_and_inputs_are_told_from_outputs():
    model = GPT2LMHeadModel(GPT2Config(vocab_size=11, n_embd=8, n_layer=1, n_head=2, n_positions=4))
    found = matrices(model, convolutions=False)
    assert set(found) == {
        f"transformer.h.0.{name}" for name in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
    }
    view = rows_first(found["transformer.h.0.mlp.c_fc"])
    assert view.shape == (32, 8)
    view.zero_()
    assert not model.transformer.h[0].mlp.c_fc.weight.any()


def test_of_a_network_that_is_not_known_all_but_the_head_is_pruned():
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=3)
    model = ResNetForImageClassification(config)
    assert not matrices(model, convolutions=False)
    found = matrices(model, convolutions=True)
    assert found and all(isinstance(one, torch.nn.Conv2d) for one in found.values())


def test_zeros_are_put_back():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False))
    model[0].weight.data = torch.tensor([[0.0, 1.0], [2.0, 0.0]])
    keep = KeptZeros(model, ["0"])
    model[0].weight.data += 1
    keep(model)
    assert model[0].weight.tolist() == [[0.0, 2.0], [3.0, 0.0]]


def test_experts_are_not_passed_over_in_silence():
    shape = {"vocab_size": 11, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "num_local_experts": 2, "num_experts_per_tok": 1}
    with pytest.raises(BadRequest, match="mixtral"):
        matrices(MixtralForCausalLM(MixtralConfig(**shape, **heads)), convolutions=False)

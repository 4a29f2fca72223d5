"""A student that has learnt nothing yet."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    ResNetConfig,
    ResNetForImageClassification,
)

from aictl.core.errors import BadRequest
from aictl.optimize.distill.fresh import narrower


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3", "gpt2"])
def test_a_fresh_student_of_each_kind_is_narrower_and_runs(kind):
    shape = {"vocab_size": 50, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    if kind == "gpt2":
        shape |= {"n_embd": 128, "n_layer": 3, "n_head": 4}
    else:
        shape |= {"hidden_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2}
        shape |= {"intermediate_size": 256, "head_dim": 32}
    teacher = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **shape))
    made = narrower(teacher, 0.5, 2, 0)
    assert (made.config.hidden_size, made.config.num_attention_heads, made.config.num_hidden_layers) == (64, 2, 2)
    assert made.num_parameters() < teacher.num_parameters() / 2
    assert made(input_ids=torch.tensor([[1, 2, 3]])).logits.shape == (1, 3, 50)


def test_a_fresh_student_is_drawn_by_the_seed():
    shape = {"vocab_size": 50, "hidden_size": 64, "num_hidden_layers": 3, "intermediate_size": 96, "pad_token_id": 0}
    shape |= {"num_attention_heads": 4, "cls_token_id": 1, "sep_token_id": 2, "bos_token_id": 1, "eos_token_id": 2}
    teacher = AutoModelForSequenceClassification.from_config(AutoConfig.for_model("modernbert", **shape))
    one, same, other = (narrower(teacher, 0.5, 2, seed) for seed in (0, 0, 1))
    assert len(one.config.layer_types) == 2
    assert torch.equal(one.classifier.weight, same.classifier.weight)
    assert not torch.equal(one.classifier.weight, other.classifier.weight)


def test_convolutions_are_narrowed_stage_by_stage():
    teacher = ResNetForImageClassification(
        ResNetConfig(embedding_size=32, hidden_sizes=[32, 64], depths=[1, 1], layer_type="basic")
    )
    made = narrower(teacher, 0.5, None, 0)
    assert (made.config.embedding_size, made.config.hidden_sizes) == (16, [16, 32])
    assert made(pixel_values=torch.randn(1, 3, 32, 32)).logits.shape == (1, 2)
    with pytest.raises(BadRequest, match="where a resnet has its layers"):
        narrower(teacher, 0.5, 2, 0)

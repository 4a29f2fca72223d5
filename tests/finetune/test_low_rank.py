"""The one operation says what peft's dozen say, and its gradients are theirs."""

from __future__ import annotations

import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM

from aictl.finetune import low_rank

IDS = torch.arange(3, 43).view(2, 20)


def adapted(model, **options):
    torch.manual_seed(1)
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM", **options)
    made = get_peft_model(model, config)
    for name, parameter in made.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.1)
    return made


def outcome(model, dtype):
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bf16"):
        logits = model(input_ids=IDS).logits
    model.zero_grad()
    logits.float().square().mean().backward()
    return logits.float(), {name: one.grad for name, one in model.named_parameters() if one.requires_grad}


@pytest.fixture(params=["llama", "qwen2"])
def model(request, checkpoint):
    """The second has biases in its queries, keys and values."""
    if request.param == "llama":
        return AutoModelForCausalLM.from_pretrained(checkpoint.folder)
    torch.manual_seed(0)
    shape = {"vocab_size": 100, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    return Qwen2ForCausalLM(Qwen2Config(**shape, num_attention_heads=4, num_key_value_heads=2, initializer_range=0.2))


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_logits_and_gradients_are_those_of_peft(model, dtype):
    if dtype == "bf16":
        for module in model.modules():
            if isinstance(module, torch.nn.Linear) and module is not model.get_output_embeddings():
                module.to(torch.bfloat16)
    usual = adapted(model)
    ours = copy.deepcopy(usual)
    assert low_rank.install(ours) == 14
    wanted, expected = outcome(usual, dtype)
    found, gradients = outcome(ours, dtype)
    near = {"rtol": 1e-4, "atol": 1e-5} if dtype == "fp32" else {"rtol": 0.05, "atol": 0.05 * wanted.abs().max().item()}
    assert torch.allclose(found, wanted, **near)
    for name, gradient in gradients.items():
        like = torch.nn.functional.cosine_similarity(gradient.flatten(), expected[name].flatten(), dim=0)
        assert like > (0.99999 if dtype == "fp32" else 0.98), name
        assert gradient.dtype == torch.float32


def test_without_the_adapter_it_is_the_base(model):
    expected = model(input_ids=IDS).logits
    ours = adapted(model)
    low_rank.install(ours)
    assert not torch.allclose(ours(input_ids=IDS).logits, expected, atol=1e-2)
    with ours.disable_adapter():
        assert torch.allclose(ours(input_ids=IDS).logits, expected, atol=1e-5)


@pytest.mark.parametrize("options", [{"lora_dropout": 0.1}, {"use_dora": True}, {"bias": "all"}])
def test_what_is_not_plain_keeps_peft_s_way(model, options):
    ours = adapted(model, **options)
    untouched = low_rank.install(copy.deepcopy(ours))
    assert untouched == (0 if "bias" not in options else 14)
    if "bias" in options:  # a bias that is trained gets its gradient
        low_rank.install(ours)
        _, gradients = outcome(ours, "fp32")
        assert all(gradient is not None for gradient in gradients.values())

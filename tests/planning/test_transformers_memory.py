"""What transformers' modules really keep for the backward pass, beside what is planned for them."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from aictl.planning.finetune import finetuning
from aictl.planning.layout import Layout, Recipe
from aictl.planning.memory import activations
from aictl.planning.shape import Shape

SHAPE = Shape(
    layers=3, hidden=128, heads=4, key_value_heads=2, head_width=32, feed_forward=384, vocabulary=64,
    gated=True, tied=True,
)  # fmt: skip
SEQUENCES, LENGTH = 4, 64


def model() -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=SHAPE.vocabulary,
            hidden_size=SHAPE.hidden,
            intermediate_size=SHAPE.feed_forward,
            num_hidden_layers=SHAPE.layers,
            num_attention_heads=SHAPE.heads,
            num_key_value_heads=SHAPE.key_value_heads,
            tie_word_embeddings=True,
        )
    )


def kept_bytes(model: torch.nn.Module, precision: str) -> int:
    """Bytes of every storage that autograd holds after a forward pass, other than the weights and their
    copies in another format."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    sizes = {parameter.numel() for parameter in model.parameters()}
    kept: dict[int, int] = {}
    alive = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights and tensor.numel() not in sizes:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)  # so that no address is used twice
        return tensor

    ids = torch.zeros(SEQUENCES, LENGTH, dtype=torch.long)
    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"),
    ):
        model(input_ids=ids, use_cache=False).logits.float().sum()
    return sum(kept.values())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_of_training(precision):
    recipe = Recipe(LENGTH, SEQUENCES, precision=precision, kernels="transformers")
    planned = activations(SHAPE, recipe, Layout(microbatch=SEQUENCES)) * (2 if precision == "fp32" else 1)
    assert planned == pytest.approx(kept_bytes(model(), precision), rel=0.10)


def test_of_adapters():
    recipe = Recipe(LENGTH, SEQUENCES, precision="bf16", kernels="transformers")
    recipe = finetuning(SHAPE, recipe, "lora", 4, chunked_loss=False)
    base = model()  # as `finetune lora` loads it: matrices in bf16, norms and embeddings in fp32
    for module in base.modules():
        if isinstance(module, torch.nn.Linear) and module is not base.get_output_embeddings():
            module.to(torch.bfloat16)
    adapted = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear"))
    planned = activations(SHAPE, recipe, Layout(microbatch=SEQUENCES))
    assert planned == pytest.approx(kept_bytes(adapted, "bf16"), rel=0.15)


def test_fused_kernels_keep_less():
    eager, fused = (
        activations(SHAPE, Recipe(LENGTH, SEQUENCES, kernels=kernels), Layout(microbatch=SEQUENCES))
        for kernels in ("transformers", "fused")
    )
    assert fused < 0.7 * eager

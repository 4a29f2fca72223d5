"""Documents that share a row see nothing of one another, and cost what they cost alone."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from aictl.core.errors import BadRequest
from aictl.planning.memory import block_weights_bytes
from aictl.training import attention
from aictl.training.batches import IGNORED, TokenBatch
from aictl.training.objective import next_token_loss

SMALL = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
}
KINDS = {
    "llama": SMALL,
    "qwen3": SMALL | {"head_dim": 16},
    "mistral": SMALL | {"sliding_window": 9},
    "gpt2": {"vocab_size": 97, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512, "initializer_range": 0.3},
}
LENGTHS = [[5, 40, 1, 130], [90, 20, 66]]
WIDTH = 180


def model_of(kind: str) -> torch.nn.Module:
    torch.manual_seed(0)
    config = CONFIG_MAPPING[kind](**KINDS[kind], attn_implementation="sdpa")
    return AutoModelForCausalLM.from_config(config).eval()


def documents() -> list[list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [[torch.randint(0, 97, (length + 1,), generator=generator) for length in row] for row in LENGTHS]


def packed() -> TokenBatch:
    inputs = torch.zeros(len(LENGTHS), WIDTH, dtype=torch.int64)
    targets, starts = torch.full_like(inputs, IGNORED), torch.zeros_like(inputs)
    for row, ones in enumerate(documents()):
        place = 0
        for ids in ones:
            end = place + len(ids) - 1
            inputs[row, place:end], targets[row, place:end], starts[row, place:end] = ids[:-1], ids[1:], place
            place = end
        starts[row, place:] = place
    return TokenBatch(inputs, targets, int((targets != IGNORED).sum()), starts)


def alone(model) -> torch.Tensor:
    """The losses of the documents, each in a batch of its own."""
    batches = [TokenBatch(ids[None, :-1], ids[None, 1:], len(ids) - 1) for row in documents() for ids in row]
    return sum(next_token_loss(model, batch) for batch in batches)


def gradients(model, loss) -> list[torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return [parameter.grad.clone() for parameter in model.parameters()]


@pytest.mark.parametrize("kind", KINDS)
def test_packed_documents_have_the_loss_and_the_gradients_that_they_have_alone(kind):
    model = model_of(kind)
    expected = alone(model)
    wanted = gradients(model, expected)
    attention.install(model)
    found = next_token_loss(model, packed())
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    for ours, theirs in zip(gradients(model, found), wanted, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-3 * theirs.abs().max())
    parts = packed().parts(WIDTH)
    assert [len(part.inputs) for part in parts] == [1, 1]
    assert sum(next_token_loss(model, part) for part in parts).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_transformers_own_attention_keeps_them_apart_too(kind):
    model = model_of(kind)
    assert next_token_loss(model, packed()).item() == pytest.approx(alone(model).item(), rel=1e-5)


def test_without_positions_that_begin_anew_the_loss_is_another():
    """The tests above can fail."""
    model = model_of("llama")
    attention.install(model)
    batch = packed()
    together = TokenBatch(batch.inputs, batch.targets, batch.counted)
    assert next_token_loss(model, together).item() != pytest.approx(alone(model).item(), rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_one_document_are_attended_to_as_ever(kind):
    model = model_of(kind)
    ids = torch.stack([torch.arange(150) % 97, torch.arange(150) * 7 % 97])
    with torch.no_grad():
        expected = model(input_ids=ids).logits
        attention.install(model)
        assert torch.allclose(model(input_ids=ids).logits, expected, atol=1e-4)


def test_short_documents_in_bf16_are_near_what_they_are_in_fp32():
    model = model_of("llama")
    attention.install(model)
    expected = next_token_loss(model, packed()).item()
    with torch.autocast("cpu", torch.bfloat16):
        found = next_token_loss(model, packed())
    assert found.item() == pytest.approx(expected, rel=2e-2)
    other = copy.deepcopy(model)
    exact = gradients(other, next_token_loss(other, packed()))
    for ours, theirs in zip(gradients(model, found), exact, strict=True):
        assert torch.nn.functional.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0) > 0.98


def test_a_model_that_mixes_positions_otherwise_is_refused():
    config = CONFIG_MAPPING["gemma2"](**SMALL | {"head_dim": 8})
    with pytest.raises(BadRequest, match="gemma2"):
        attention.install(AutoModelForCausalLM.from_config(config))


def test_where_documents_lie():
    found = attention.documents_of(packed().starts, torch.device("cpu"))
    assert found.ends.tolist() == [0, 5, 45, 46, 176, 180, 270, 290, 356, 360]
    assert found.longest == 130
    assert sorted(found.back.tolist()) == sorted(set(found.back.tolist()))
    flat = torch.cat([group.flatten() for group in found.groups])
    assert flat[found.back].tolist() == list(range(360))


def test_documents_that_are_closed_by_a_token_begin_after_it():
    inputs = torch.tensor([[5, 6, 0, 7, 0, 0, 8], [1, 2, 3, 4, 5, 6, 0]])
    assert attention.starts_of(inputs, 0).tolist() == [[0, 0, 0, 3, 3, 5, 6], [0] * 7]


@pytest.mark.parametrize("length", [100, 128, 300, 512])
def test_the_weights_that_blocks_keep_are_those_that_the_planner_counts(length):
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 3, length, 16, dtype=torch.bfloat16, requires_grad=True) for _ in range(3))
    weights: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        # Of softmax and of the product with the values; masks are of bool, and all else has the width of a head.
        if tensor.dtype.is_floating_point and 16 not in tensor.shape[-2:]:
            weights[tensor.untyped_storage().data_ptr()] = tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        attention._by_blocks(query, key, value, attention.How(0.25, 0.0, None))
    assert sum(weights.values()) == pytest.approx(2 * 3 * length * block_weights_bytes(length))

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from transformers import Gemma2Config, Gemma2ForCausalLM, GPT2Config, GPT2LMHeadModel

from aictl.training.head import cross_entropy, hidden_states, plain_head


def reference(hidden: torch.Tensor, head: torch.nn.Linear, targets: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(head(hidden).float(), targets, reduction="sum")


@pytest.mark.parametrize("rows", [1, 7, 300])
def test_the_loss_and_its_gradients_are_those_of_the_plain_way(rows):
    torch.manual_seed(0)
    head = torch.nn.Linear(24, 5000, bias=False)
    hidden = torch.randn(rows, 24, requires_grad=True)
    targets = torch.randint(0, 5000, (rows,))
    expected = reference(hidden, head, targets) / 3
    expected.backward()
    by_hidden, by_weight = hidden.grad.clone(), head.weight.grad.clone()
    hidden.grad = head.weight.grad = None
    loss = cross_entropy(hidden, head, targets) / 3
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    torch.testing.assert_close(hidden.grad, by_hidden, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(head.weight.grad, by_weight, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_in_mixed_precision_too(dtype):
    torch.manual_seed(0)
    head = torch.nn.Linear(24, 700, bias=False)
    hidden, targets = torch.randn(50, 24, requires_grad=True), torch.randint(0, 700, (50,))
    with torch.autocast("cpu", dtype=dtype):
        expected, loss = reference(hidden, head, targets), cross_entropy(hidden, head, targets)
    (expected / 50).backward()
    by_hidden, by_weight = hidden.grad.clone(), head.weight.grad.clone()
    hidden.grad = head.weight.grad = None
    (loss / 50).backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
    assert head.weight.grad.dtype == torch.float32
    torch.testing.assert_close(hidden.grad, by_hidden, rtol=0.02, atol=1e-4)
    torch.testing.assert_close(head.weight.grad, by_weight, rtol=0.02, atol=1e-4)


def test_a_target_whose_probability_is_nought_in_float32_has_a_finite_loss():
    head = torch.nn.Linear(2, 3, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[400.0, 0], [0, 0], [0, 1]]))
    hidden, targets = torch.tensor([[1.0, 0.0]], requires_grad=True), torch.tensor([1])
    loss = cross_entropy(hidden, head, targets)
    loss.backward()
    assert loss.item() == pytest.approx(400)
    torch.testing.assert_close(hidden.grad, torch.tensor([[400.0, 0.0]]))


def test_a_frozen_head_gets_no_gradient():
    head = torch.nn.Linear(4, 9, bias=False).requires_grad_(False)
    hidden = torch.randn(3, 4, requires_grad=True)
    cross_entropy(hidden, head, torch.tensor([1, 2, 3])).backward()
    assert head.weight.grad is None
    assert hidden.grad is not None


def test_only_a_head_that_is_all_there_is_counts_as_plain(job):
    sizes = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8}
    capped = Gemma2ForCausalLM(Gemma2Config(**sizes, **heads, final_logit_softcapping=0.5, pad_token_id=0))
    assert plain_head(capped) is None
    assert plain_head(GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=16, n_layer=1, n_head=2))) is not None
    model = job().model
    head = plain_head(model)
    assert head is model.lm_head
    ids = torch.tensor([[1, 2, 3]])
    with hidden_states(head):
        assert model(input_ids=ids).logits.shape == (1, 3, 32)
    assert model(input_ids=ids).logits.shape == (1, 3, 61)

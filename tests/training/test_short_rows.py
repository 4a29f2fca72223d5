from __future__ import annotations

import copy

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from aictl.training.attention import LONGEST
from aictl.training.short_rows import NAME, short_attention


def model(key_value_heads: int) -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=61, hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=key_value_heads, max_position_embeddings=1024,
        )
    )  # fmt: skip


@pytest.mark.parametrize(("key_value_heads", "tokens"), [(4, 300), (2, 129), (1, 5)])
def test_outputs_and_gradients_are_those_of_torchs_kernel(key_value_heads, tokens):
    plain = model(key_value_heads)
    blocked = copy.deepcopy(plain)
    ids = torch.randint(0, 61, (2, tokens))
    expected = plain(input_ids=ids).logits
    expected.square().mean().backward()
    with short_attention(blocked, tokens):
        assert blocked.config._attn_implementation == NAME
        found = blocked(input_ids=ids).logits
        found.square().mean().backward()
    assert blocked.config._attn_implementation == "sdpa"
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    for one, other in zip(blocked.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-6)


def test_a_mask_is_left_to_torchs_kernel():
    plain, ids = model(2), torch.randint(0, 61, (2, 40))
    mask = torch.ones(2, 40, dtype=torch.int64)
    mask[0, :17] = 0
    expected = plain(input_ids=ids, attention_mask=mask).logits[:, 20:]
    with short_attention(plain, 40):
        torch.testing.assert_close(plain(input_ids=ids, attention_mask=mask).logits[:, 20:], expected)


def test_long_sequences_keep_their_attention():
    plain = model(2)
    with short_attention(plain, LONGEST + 1):
        assert plain.config._attn_implementation == "sdpa"


@pytest.mark.slow
def test_compiled_it_attends_by_blocks_too(monkeypatch):
    """Traced, transformers makes a mask of its own, with which nothing would be gained."""
    from aictl.training import short_rows

    plain, ids = model(2), torch.randint(0, 61, (2, 40))
    expected = plain(input_ids=ids, use_cache=False).logits
    monkeypatch.setattr(short_rows, "sdpa_attention_forward", None)  # what would be called with a mask
    with short_attention(plain, 40):
        found = torch.compile(plain)(input_ids=ids, use_cache=False).logits
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)

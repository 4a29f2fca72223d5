"""A model's attention for short rows of one document each, on a CPU: by blocks (:mod:`aictl.training.attention`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from aictl.training import attention

NAME = "aictl_short_rows"


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **more: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """As transformers calls it. Whatever is not plain causal attention over a row goes to torch's own."""
    causal = getattr(module, "is_causal", False) and key.shape[2] == query.shape[2]
    if attention_mask is not None or not causal or any(more.get(name) is not None for name in attention.OF_OTHERS):
        return sdpa_attention_forward(module, query, key, value, attention_mask, **more)
    return attention.attend(module, query, key, value, None, **more)


def _mask(*given: Any, **more: Any) -> torch.Tensor | None:
    """None for whole rows of plain causal attention. While it is traced, transformers cannot see that a row has one
    document, and would make a mask that keeps documents apart."""
    keys, window = more["kv_length"], more.get("local_size")
    plain = more.get("attention_mask") is None and more["q_length"] == keys
    return None if plain and (window is None or keys <= window) else sdpa_mask(*given, **more)


@contextmanager
def short_attention(model: Any, longest: int) -> Iterator[None]:
    """While it lasts, a model whose sequences have at most ``longest`` tokens, each of one document, attends by blocks,
    if they are short enough for it."""
    before = getattr(model.config, "_attn_implementation", None)
    if before != "sdpa" or longest > attention.LONGEST or model.device.type != "cpu":
        yield
        return
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, _mask)
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)

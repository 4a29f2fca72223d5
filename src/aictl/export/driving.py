"""genai_config.json: how the exported graph is driven.

It is onnxruntime-genai's format (https://onnxruntime.ai/docs/genai/reference/config.html), so
that the artifact runs there as it is; our own runtime reads the same facts from it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_genai_config(config: Any, folder: Path) -> None:
    """Write the driving of a graph made by :func:`aictl.export.graph.trace` from a transformers
    configuration."""
    heads = config.num_attention_heads
    width = head_width(config)
    context = int(config.max_position_embeddings)
    end = [] if config.eos_token_id is None else config.eos_token_id
    driving = {
        "model": {
            # Not the architecture but the driver: every decoder with one pair of keys and values
            # per layer is driven alike, and "llama" is that driver's oldest name.
            "type": "llama",
            "bos_token_id": _first(config.bos_token_id),
            "eos_token_id": end,
            "pad_token_id": _first(end if config.pad_token_id is None else config.pad_token_id),
            "context_length": context,
            "vocab_size": config.vocab_size,
            "decoder": {
                "session_options": {"log_id": "onnxruntime-genai", "provider_options": []},
                "filename": "model.onnx",
                "head_size": width,
                "hidden_size": config.hidden_size,
                "num_attention_heads": heads,
                "num_key_value_heads": cache_heads(config),
                "num_hidden_layers": config.num_hidden_layers,
                "inputs": {
                    "input_ids": "input_ids",
                    "attention_mask": "attention_mask",
                    "position_ids": "position_ids",
                    "past_key_names": "past_key_values.%d.key",
                    "past_value_names": "past_key_values.%d.value",
                },
                "outputs": {
                    "logits": "logits",
                    "present_key_names": "present.%d.key",
                    "present_value_names": "present.%d.value",
                },
            },
        },
        "search": {"max_length": context, "do_sample": False, "past_present_share_buffer": False},
    }
    (folder / "genai_config.json").write_text(json.dumps(driving, indent=1) + "\n", "utf-8")


def head_width(config: Any) -> int:
    """Width of one attention head."""
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def cache_heads(config: Any) -> int:
    """Number of heads whose keys and values are kept, per layer."""
    return int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)


def _first(ids: int | list[int] | None) -> int:
    """The format wants one id here, and knows no absence."""
    if isinstance(ids, int):
        return ids
    return ids[0] if ids else 0

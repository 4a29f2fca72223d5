"""What llama.cpp has to know of a network beside its weights: the architecture, its sizes, its rotary positions.

Known are the dense networks for which it and transformers reckon alike: Llama, Qwen2 and Qwen3. Whatever one of their
configurations may ask for beyond that is refused by its name, for llama.cpp would leave it out and say nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gguf import GGUFWriter, RopeScalingType

from aictl.core.errors import WrongKind

ARCHITECTURES = ("llama", "qwen2", "qwen3")
_CURE = "aictl export onnx takes models of other architectures too"
# What llama.cpp takes for granted, by the name in config.json.
_GRANTED: Mapping[str, tuple[Any, ...]] = {
    "hidden_act": ("silu", None),
    "attention_bias": (False, None),  # Qwen2 has one always, and no setting for it
    "mlp_bias": (False, None),
    "use_sliding_window": (False, None),
}
# What each way to stretch positions is told with; more than that is refused.
_STRETCHED: Mapping[str, frozenset[str]] = {
    "default": frozenset(),
    "linear": frozenset({"factor"}),
    "llama3": frozenset({"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}),
}


def require_known(label: str, config: Mapping[str, Any]) -> None:
    """Raise :class:`WrongKind` for a network that llama.cpp would reckon otherwise. ``config`` is its
    ``config.json``."""
    model_type = config.get("model_type")
    if model_type not in ARCHITECTURES:
        named = (config.get("architectures") or [model_type])[0]
        raise WrongKind(
            f"'{label}' is a {named}, and aictl export gguf takes dense networks of {', '.join(ARCHITECTURES)}",
            cure=_CURE,
        )
    for name, granted in _GRANTED.items():
        if config.get(name) not in granted:
            raise WrongKind(f"'{label}' has {name} {config[name]!r}, which llama.cpp does not do", cure=_CURE)
    if other := {*(config.get("layer_types") or ())} - {"full_attention"}:
        raise WrongKind(f"'{label}' has layers of {', '.join(sorted(other))}, which are not written", cure=_CURE)
    rope = _rope(config)
    kind = rope.get("rope_type") or rope.get("type") or "default"
    more = {name for name, value in rope.items() if value is not None} - {"rope_type", "type", "rope_theta"}
    if kind not in _STRETCHED or more - _STRETCHED[kind]:
        told = ", ".join(sorted(more - _STRETCHED.get(kind, frozenset())))
        what = f"the kind {kind} with {told}" if told else f"the kind {kind}"
        raise WrongKind(
            f"'{label}' has rotary positions of {what}, which are not written: known are {', '.join(_STRETCHED)}",
            cure=_CURE,
        )


def _rope(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """How positions turn: transformers 5 has one table, its files from before two settings."""
    return config.get("rope_parameters") or config.get("rope_scaling") or {}


def head_width(config: Any) -> int:
    """Numbers in a head."""
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def write(writer: GGUFWriter, config: Any) -> None:
    """Tell the sizes of a network, of which ``config`` is transformers' configuration."""
    width, rope = head_width(config), config.rope_parameters
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(rope["rope_theta"])
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])


def rope_factors(module: Any) -> np.ndarray | None:
    """By how much each pair of a head's numbers turns slower than the base alone would have it, float32 (width / 2):
    llama.cpp has no settings for Llama 3's stretched positions, but takes such a tensor. None where nothing is
    stretched so."""
    if module.config.rope_parameters["rope_type"] != "llama3":
        return None
    turns = module.model.rotary_emb.inv_freq.double().numpy()
    width = 2 * len(turns)
    plain = module.config.rope_parameters["rope_theta"] ** -(np.arange(0, width, 2) / width)
    return (plain / turns).astype(np.float32)


def permuted(weights: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a query's or key's matrix in llama.cpp's order. It turns neighbouring numbers of a head together where
    transformers turns those that lie half a head apart: of each head, rows 0, w/2, 1, w/2 + 1 and so on."""
    return weights.reshape(heads, 2, -1, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def order(architecture: str, config: Any) -> Callable[[str, np.ndarray], np.ndarray]:
    """What puts the rows of a tensor, which it is handed with its name in the file, into llama.cpp's order. Of
    the architectures known here only Llama's differs from transformers'."""
    heads = {".attn_q.": config.num_attention_heads, ".attn_k.": config.num_key_value_heads}

    def put(name: str, weights: np.ndarray) -> np.ndarray:
        found = next((count for part, count in heads.items() if part in name), None)
        return weights if architecture != "llama" or found is None else permuted(weights, found)

    return put

"""A model's shape from a Hugging Face ``config.json``.

The families agree on what there is and not on what it is called; ``_NAMES`` lists the names. What a
file leaves out is as ``transformers`` has it: heads of ``hidden / heads``, as many key and value heads
as heads, a feed-forward part four times as wide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aictl.core.errors import BadInput
from aictl.planning.shape import Latent, Shape

_NAMES = {
    "layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "hidden": ("hidden_size", "n_embd", "d_model", "n_embed"),
    "heads": ("num_attention_heads", "n_head", "n_heads", "num_heads"),
    "vocabulary": ("vocab_size",),
    "feed_forward": ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "d_ff"),
    "key_value_heads": ("num_key_value_heads", "num_kv_heads", "n_head_kv"),
    "head_width": ("head_dim",),
    "context": ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_sequence_length"),
    "experts": ("num_local_experts", "n_routed_experts", "num_experts"),
    "experts_per_token": ("num_experts_per_tok", "num_experts_per_token", "moe_top_k"),
    "shared_experts": ("n_shared_experts",),
    "dense_layers": ("first_k_dense_replace",),
}
# Families whose feed-forward part is one matrix in and one out; in the others a second one gates it.
_UNGATED = {"gpt2", "gpt_neo", "gpt_neox", "gptj", "opt", "bloom", "falcon", "mpt", "phi", "starcoder2", "gpt_bigcode"}
# Families with a table of learned positions.
_LEARNED = {"gpt2", "gpt_neo", "opt", "gpt_bigcode"}
_PARALLEL = {"falcon", "gptj", "gpt_neox", "phi", "cohere"}
_TIED = {
    "gpt2",
    "gpt_neo",
    "opt",
    "bloom",
    "falcon",
    "mpt",
    "gemma",
    "gemma2",
    "gemma3",
    "gemma3_text",
    "gpt_bigcode",
    "cohere",
}
_TWO_SIDED = {"t5", "mt5", "umt5", "bart", "mbart", "pegasus", "marian", "whisper"}
_NO_DECODER = {
    "bert",
    "roberta",
    "distilbert",
    "albert",
    "electra",
    "deberta",
    "deberta-v2",
    "xlm-roberta",
    "vit",
    "clip",
}
_STATE_SPACE = {"mamba", "mamba2", "rwkv", "jamba", "falcon_mamba"}

# What no transformer of today comes near; beyond them a number is a slip of the pen.
MOST = {
    "layers": 2_000,
    "hidden": 1_000_000,
    "heads": 10_000,
    "vocabulary": 10_000_000,
    "feed_forward": 10_000_000,
    "key_value_heads": 10_000,
    "head_width": 10_000,
    "context": 1_000_000_000,
    "experts": 10_000,
    "experts_per_token": 10_000,
    "shared_experts": 1_000,
    "dense_layers": 2_000,
}


def read_shape(path: Path) -> Shape:
    """The shape that a ``config.json`` describes. Raises :class:`BadInput` naming file and field."""
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(values, dict):
        raise BadInput(f"{path} holds no JSON object")
    return shape_of(values, str(path))


def shape_of(values: Mapping[str, Any], where: str) -> Shape:
    """The shape in a configuration's values; ``where`` is what errors call it."""
    inner = values.get("text_config")
    if isinstance(inner, Mapping) and not _first(values, "layers"):  # a model that also sees or hears
        values = {"model_type": values.get("model_type"), **inner}
    family = str(values.get("model_type") or "")
    _refuse(values, family, where)
    found = {field: _count(values, field, where) for field in _NAMES}
    for field in ("layers", "hidden", "heads", "vocabulary"):
        if found[field] is None:
            raise BadInput(
                f"{where} says no {_NAMES[field][0]}, nor {', '.join(_NAMES[field][1:]) or 'another name of it'}",
                cure="give a decoder-only transformer's config.json, or --params, --layers and --hidden",
            )
    layers, hidden, heads = found["layers"] or 0, found["hidden"] or 0, found["heads"] or 0
    if found["head_width"] is None and hidden % heads:
        raise BadInput(f"{where}: {heads} heads do not divide a hidden size of {hidden}, and no head_dim is given")
    latent = _latent(values, where)
    width = found["head_width"] or hidden // heads
    if latent:
        width = _positive(values, "qk_nope_head_dim", where) or 128
    keys = _key_value_heads(values, found, family, heads)
    if keys > heads or heads % keys:
        raise BadInput(f"{where}: {keys} key/value heads do not divide {heads} heads")
    experts = found["experts"] or 0
    per_token = found["experts_per_token"] or (2 if experts else 0)
    if per_token > experts:
        raise BadInput(f"{where}: a token goes through {per_token} of {experts} experts")
    feed_forward = found["feed_forward"] or 4 * hidden
    each = _positive(values, "moe_intermediate_size", where) if experts else None
    dense = found["dense_layers"] or 0
    if dense > layers:
        raise BadInput(f"{where}: {dense} dense layers of {layers}")
    tied = values.get("tie_word_embeddings", family in _TIED)
    return Shape(
        layers=layers,
        hidden=hidden,
        heads=heads,
        vocabulary=found["vocabulary"] or 0,
        key_value_heads=keys,
        head_width=width,
        feed_forward=each or feed_forward,
        gated=family not in _UNGATED,
        tied=bool(tied),
        parallel_block=family in _PARALLEL or values.get("parallel_attn") is True,
        positions=found["context"] or 0 if family in _LEARNED else 0,
        experts=experts,
        experts_per_token=per_token,
        shared_experts=_shared(values, found, feed_forward, each),
        dense_layers=dense,
        dense_feed_forward=feed_forward if dense else 0,
        latent=latent,
        context=found["context"] or 0,
    )


def _refuse(values: Mapping[str, Any], family: str, where: str) -> None:
    kind = None
    if family in _TWO_SIDED or values.get("is_encoder_decoder") is True:
        kind = "an encoder with a decoder"
    elif family in _NO_DECODER:
        kind = "an encoder"
    elif family in _STATE_SPACE:
        kind = "a state-space model"
    if kind:
        raise BadInput(
            f"{where} describes {kind} ({family}), and decoder-only transformers are what is planned",
            cure="give --params, --layers and --hidden for a decoder of that size",
        )


def _first(values: Mapping[str, Any], field: str) -> Any:
    return next((values[name] for name in _NAMES[field] if values.get(name) is not None), None)


def _count(values: Mapping[str, Any], field: str, where: str) -> int | None:
    """A field under any of its names, as a whole number within reason; None where it is left out."""
    name = next((one for one in _NAMES[field] if values.get(one) is not None), None)
    if name is None:
        return None
    value = values[name]
    least = 0 if field in ("experts", "shared_experts", "dense_layers", "context", "experts_per_token") else 1
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST[field]:
        raise BadInput(f"{where}: {name} is {value!r}, and a whole number from {least} to {MOST[field]:,} is expected")
    return value


def _positive(values: Mapping[str, Any], name: str, where: str) -> int | None:
    value = values.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10_000_000:
        raise BadInput(f"{where}: {name} is {value!r}, and a positive whole number is expected")
    return value


def _key_value_heads(values: Mapping[str, Any], found: Mapping[str, int | None], family: str, heads: int) -> int:
    if values.get("multi_query") is True and not values.get("new_decoder_architecture"):
        return 1
    return found["key_value_heads"] or heads


def _latent(values: Mapping[str, Any], where: str) -> Latent | None:
    rank = _positive(values, "kv_lora_rank", where)
    if rank is None:
        return None
    return Latent(
        rank=rank,
        rotary_width=_positive(values, "qk_rope_head_dim", where) or 64,
        query_rank=_positive(values, "q_lora_rank", where) or 0,
        value_width=_positive(values, "v_head_dim", where) or 128,
    )


def _shared(values: Mapping[str, Any], found: Mapping[str, int | None], whole: int, each: int | None) -> int:
    """Experts that every token goes through, in experts' widths."""
    if found["shared_experts"]:
        return found["shared_experts"]
    wide = values.get("shared_expert_intermediate_size")
    return round(wide / (each or whole)) if isinstance(wide, int) and found["experts"] else 0

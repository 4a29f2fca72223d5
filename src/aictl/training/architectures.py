"""Language models: fresh ones of a preset's size in several architectures, of a configuration, or a checkpoint's.

All have pre-norm blocks. But for GPT-2, with learned positions, they have rotary ones, RMSNorm and SwiGLU; those of
Mixtral and Qwen3-MoE have several feed-forward layers, of which each token goes through a few.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    GPT2Config,
    LlamaConfig,
    MixtralConfig,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen3Config,
    Qwen3MoeConfig,
)

from aictl.core.errors import BadRequest
from aictl.tokenizing.folder import TokenizerFolder
from aictl.training.presets import Preset

ROPE_THETA = 10_000.0
EXPERTS, ACTIVE_EXPERTS = 8, 2  # as Mixtral has them (https://arxiv.org/abs/2401.04088)
SPECIAL = ("bos_token", "eos_token", "pad_token")


def config_of(architecture: str, preset: Preset, tokenizer: TokenizerFolder, context: int) -> PreTrainedConfig:
    """The configuration of a preset's shape in an architecture."""
    given = {
        "vocab_size": tokenizer.vocabulary,
        "tie_word_embeddings": True,
        # One over the square root of the width keeps the size of what a matrix is given; the usual
        # constant of 0.02 suits widths above 2,000 and slows small models down.
        "initializer_range": preset.hidden_size**-0.5,
        **special_ids(tokenizer),
    }
    return CONFIGS[architecture](preset, context, given)


def special_ids(tokenizer: TokenizerFolder) -> dict[str, int | None]:
    """The special tokens by the names that a configuration has for their ids."""
    return {f"{role}_id": tokenizer.id(role) for role in SPECIAL}


def build(config: PreTrainedConfig, seed: int) -> PreTrainedModel:
    """A model with fresh weights that depend on ``seed`` alone. Raises :class:`BadRequest` for a shape that does not
    fit together."""
    torch.manual_seed(seed)
    try:
        model = AutoModelForCausalLM.from_config(config)
    except (ValueError, TypeError, RuntimeError, AssertionError, ZeroDivisionError) as error:
        raise BadRequest(f"the {config.model_type} of this configuration cannot be built: {error}") from error
    model.generation_config = GenerationConfig(
        **{f"{role}_id": getattr(config, f"{role}_id", None) for role in SPECIAL}
    )
    return model


def _llama_like(kind: type[PreTrainedConfig], preset: Preset, context: int, given: Mapping[str, Any]) -> Any:
    shape: dict[str, Any] = {
        "hidden_size": preset.hidden_size,
        "intermediate_size": preset.intermediate_size,
        "num_hidden_layers": preset.layers,
        "num_attention_heads": preset.heads,
        "num_key_value_heads": preset.key_value_heads,
        "max_position_embeddings": context,
        "rope_parameters": {"rope_type": "default", "rope_theta": ROPE_THETA},
    }
    return kind(**(shape | dict(given)))


def _llama(preset: Preset, context: int, given: Mapping[str, Any]) -> Any:
    return _llama_like(LlamaConfig, preset, context, given)


def _qwen2(preset: Preset, context: int, given: Mapping[str, Any]) -> Any:
    return _llama_like(Qwen2Config, preset, context, given)


def _qwen3(preset: Preset, context: int, given: Mapping[str, Any]) -> Any:
    return _llama_like(Qwen3Config, preset, context, {**given, "head_dim": preset.hidden_size // preset.heads})


def _gpt2(preset: Preset, context: int, given: Mapping[str, Any]) -> Any:
    # Nothing is dropped out: text is seen about once, so that there is nothing to learn by heart.
    return GPT2Config(
        n_embd=preset.hidden_size,
        n_layer=preset.layers,
        n_head=preset.heads,
        n_positions=context,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        **given,
    )


def _mixtral(preset: Preset, context: int, given: Mapping[str, Any]) -> Any:
    experts = {
        "num_local_experts": EXPERTS,
        "num_experts_per_tok": ACTIVE_EXPERTS,
        # So wide that a token goes through as much as in the model of one layer.
        "intermediate_size": preset.intermediate_size // ACTIVE_EXPERTS,
    }
    return _llama_like(MixtralConfig, preset, context, {**given, **experts})


def _qwen3_moe(preset: Preset, context: int, given: Mapping[str, Any]) -> Any:
    experts = {
        "num_experts": EXPERTS,
        "num_experts_per_tok": ACTIVE_EXPERTS,
        "moe_intermediate_size": preset.intermediate_size // ACTIVE_EXPERTS,
        "norm_topk_prob": True,
        "head_dim": preset.hidden_size // preset.heads,
    }
    return _llama_like(Qwen3MoeConfig, preset, context, {**given, **experts})


CONFIGS: Mapping[str, Callable[[Preset, int, Mapping[str, Any]], PreTrainedConfig]] = {
    "llama": _llama,
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "gpt2": _gpt2,
    "mixtral": _mixtral,
    "qwen3-moe": _qwen3_moe,
}

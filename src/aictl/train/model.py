"""The model: Llama's blocks with rotary positions, RMSNorm, SwiGLU and tied embeddings."""

from __future__ import annotations

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from aictl.tokenizing.folder import TokenizerFolder
from aictl.train.presets import Preset

ROPE_THETA = 10_000.0


def build(preset: Preset, tokenizer: TokenizerFolder, context: int, seed: int) -> LlamaForCausalLM:
    """A model of the preset's shape with fresh weights that depend on ``seed`` alone."""
    special = {f"{role}_id": tokenizer.id(role) for role in ("bos_token", "eos_token", "pad_token")}
    config = LlamaConfig(
        vocab_size=tokenizer.vocabulary,
        hidden_size=preset.hidden_size,
        intermediate_size=preset.intermediate_size,
        num_hidden_layers=preset.layers,
        num_attention_heads=preset.heads,
        num_key_value_heads=preset.key_value_heads,
        max_position_embeddings=context,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
        tie_word_embeddings=True,
        # One over the square root of the width keeps the size of what a matrix is given; the usual
        # constant of 0.02 suits widths above 2,000 and slows small models down.
        initializer_range=preset.hidden_size**-0.5,
        **special,
    )
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(**special)
    return model

"""A tiny model and a learnable stream of tokens."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from aictl.training.loop import Job
from aictl.training.precision import Compute
from aictl.training.spec import LoopSpec, OptimizerSpec
from aictl.training.tokens import PackedBatches, held_out

VOCABULARY = 61


def tiny_model(attention_dropout: float = 0.0) -> LlamaForCausalLM:
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        attention_dropout=attention_dropout,
    )
    return LlamaForCausalLM(config)


def counting_tokens(length: int = 2000) -> np.ndarray:
    """Each token follows from the one before it, so that there is something to learn."""
    return np.cumsum(1 + np.arange(length) % 3).astype(np.uint16) % VOCABULARY


@pytest.fixture
def job(tmp_path):
    """Makes jobs over the same data; each has a fresh model, and ``scratch`` of its own."""

    def make(name: str = "run", **changes: object) -> Job:
        scratch = tmp_path / name
        scratch.mkdir(exist_ok=True)
        tokens = counting_tokens()
        values = {
            "model": tiny_model(),
            "batches": PackedBatches(tokens[:1800], 4, 16, seed=3),
            "held_out": held_out(tokens[1800:], 4, 16, most=128),
            "max_steps": 12,
            "peak_rate": 1e-2,
            "optimizer": OptimizerSpec(),
            "loop": LoopSpec(seed=5, evaluate_every=5),
            "compute": Compute(torch.device("cpu"), "fp32"),
            "scratch": scratch,
        }
        return Job(**(values | changes))  # type: ignore[arg-type]

    return make

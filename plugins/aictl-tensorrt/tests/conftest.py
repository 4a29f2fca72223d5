"""A small Llama with a tokenizer, exported by aictl itself to the standard layout."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.events import Event, Events, silent

os.environ["HF_HUB_OFFLINE"] = "1"
LAYERS, HEADS, CACHE_HEADS, HEAD_SIZE, VOCABULARY, CONTEXT = 2, 4, 2, 8, 300, 64


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A Llama of 2 layers, 32 wide, with random weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("checkpoint")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=HEADS * HEAD_SIZE,
        intermediate_size=64,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=CACHE_HEADS,
        max_position_embeddings=CONTEXT,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    _tokenizer(folder)
    return Checkpoint(folder)


@pytest.fixture(scope="session")
def exported(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> OnnxModel:
    from aictl.export.onnx import export
    from aictl.export.spec import OnnxSpec

    model = export(checkpoint, OnnxSpec(), tmp_path_factory.mktemp("onnx"), events=silent)
    model.check()
    return model


@pytest.fixture
def told() -> Iterator[list[Event]]:
    yield []


@pytest.fixture
def events(told: list[Event]) -> Events:
    """Events that are kept in ``told``."""
    return Events(told.append)


def _tokenizer(folder: Path) -> None:
    """Byte-level, so that every text has tokens below 256."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: index for index, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))

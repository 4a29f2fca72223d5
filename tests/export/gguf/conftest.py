"""Tiny language models of each architecture that GGUF is written for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Regex, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedConfig, Qwen2Config, Qwen3Config
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.gguf import Gguf
from aictl.core.events import silent
from aictl.export.gguf.writing import export
from aictl.export.spec import GgufSpec
from aictl.tokenizing.byte_bpe import ROLES, learn
from aictl.tokenizing.folder import write as write_tokenizer

TEXT = "The capital of France is Paris.\n\nIt's a truth universally acknowledged (1812), that a single man in 1812 IT'S"
TEMPLATE = "{% for message in messages %}{{ message['content'] + eos_token }}{% endfor %}"
THETA = 5000.0  # not the default, so that it cannot be lost unnoticed
ROWS = 400  # more than there are tokens
SIZES = {
    "vocab_size": ROWS,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
    "initializer_range": 0.2,
}
LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}


def config(name: str) -> PreTrainedConfig:
    rope = {"rope_type": "default", "rope_theta": THETA}
    return {
        "llama": lambda: LlamaConfig(**SIZES, tie_word_embeddings=True, rope_parameters=rope),
        "llama3": lambda: LlamaConfig(**SIZES, head_dim=32, rope_parameters=rope | LLAMA3 | {"rope_type": "llama3"}),
        "linear": lambda: LlamaConfig(**SIZES, rope_parameters=rope | {"rope_type": "linear", "factor": 2.0}),
        "qwen2": lambda: Qwen2Config(**SIZES, rope_parameters=rope),
        "qwen3": lambda: Qwen3Config(**SIZES, head_dim=32, rope_parameters=rope),
    }[name]()


def split_by(pattern: str) -> pre_tokenizers.PreTokenizer:
    bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), behavior="isolated"), bytewise])


# Ways to split words, by llama.cpp's name for each. transformers has the patterns by the same names.
SPLITTERS = {
    "gpt-2": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "smollm": pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    ),
    "llama-bpe": split_by(GGUF_PRE_TOKENIZER_SPLITS["llama-bpe"]),
    "qwen2": split_by(GGUF_PRE_TOKENIZER_SPLITS["qwen2"]),
}


@pytest.fixture
def changed(write_model, tmp_path) -> Callable[..., Path]:
    """A model folder of which ``change`` changed one file's JSON."""

    def make(change: Callable[[dict[str, Any]], None], name: str = "tokenizer.json") -> Path:
        folder = shutil.copytree(write_model("llama").folder, tmp_path / "changed")
        values = json.loads((folder / name).read_text())
        change(values)
        (folder / name).write_text(json.dumps(values))
        return folder

    return make


@pytest.fixture
def split_model(changed) -> Callable[[str], Checkpoint]:
    """A model whose tokenizer splits words in one of the ways of ``SPLITTERS``."""

    def make(name: str) -> Checkpoint:
        splitter = json.loads(SPLITTERS[name].__getstate__())
        return Checkpoint(changed(lambda values: values.update(pre_tokenizer=splitter)), name=name)

    return make


@pytest.fixture(scope="session")
def write_model(tmp_path_factory) -> Callable[[str], Checkpoint]:
    """Writes a model by its name in :func:`config`. Its norms and biases are random too: as they begin, half of what
    could go wrong would show nowhere."""
    made: dict[str, Checkpoint] = {}

    def write(name: str) -> Checkpoint:
        if name in made:
            return made[name]
        folder: Path = tmp_path_factory.mktemp("models") / name
        folder.mkdir()
        write_tokenizer(learn([TEXT] * 20, 400), folder, ROLES)
        settings = json.loads((folder / "tokenizer_config.json").read_text()) | {"chat_template": TEMPLATE}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
        torch.manual_seed(0)
        module = AutoModelForCausalLM.from_config(config(name))
        for called, weights in module.named_parameters():
            if "norm" in called or "bias" in called:
                torch.nn.init.normal_(weights, mean=1.0 if "norm" in called else 0.0, std=0.3)
        module.save_pretrained(folder)
        made[name] = Checkpoint(folder, name=name)
        return made[name]

    return write


def exported(model: Checkpoint | Adapter, folder: Path, **options: Any) -> Gguf:
    """Export a model into a new folder."""
    made, scratch = folder / "made", folder / "scratch"
    made.mkdir(parents=True)
    scratch.mkdir()
    return export(model, GgufSpec(**options), made, scratch, events=silent)

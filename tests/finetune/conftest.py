"""A tiny chat model with an end token, and conversations with something to learn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.train import tokenizer as tokenizers

TEMPLATE = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + eos_token + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
COLOURS = {"sky": "blue", "grass": "green", "snow": "white", "coal": "black", "blood": "red", "sun": "yellow"}


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Checkpoint:
    folder = tmp_path_factory.mktemp("base") / "tiny"
    folder.mkdir()
    tokenizer = tokenizers.learn(["assistant: user: What colour is it? It is.\n"] * 20, 300)
    tokenizers.save(tokenizer, folder, 64)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": TEMPLATE}))
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=3,
        num_key_value_heads=1,
        max_position_embeddings=64,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
        tie_word_embeddings=True,
        initializer_range=0.2,  # random as it is, its head can tell tokens apart
    )
    LlamaForCausalLM(shape).save_pretrained(folder)
    return Checkpoint(folder)


def write_chats(folder: Path, train: list[list[dict[str, str]]], validation: list[list[dict[str, str]]]) -> Dataset:
    folder.mkdir()
    with DatasetWriter(folder, "chat") as writer:
        for split, talks in (("train", train), ("validation", validation)):
            for messages in talks:
                writer.add(split, {"messages": messages})
    return Dataset(folder)


@pytest.fixture
def chats(tmp_path):
    """Writes a chat dataset; without arguments one that asks for colours."""

    def make(train=None, validation=None, name: str = "chats") -> Dataset:
        talks = [
            [
                {"role": "user", "content": f"What colour is {what}?"},
                {"role": "assistant", "content": f"It is {colour}."},
            ]
            for what, colour in COLOURS.items()
        ]
        return write_chats(
            tmp_path / name, talks * 4 if train is None else train, talks if validation is None else validation
        )

    return make

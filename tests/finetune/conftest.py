"""A tiny chat model with an end token, and conversations with something to learn."""

from __future__ import annotations

import pytest

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset

TEMPLATE = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + eos_token + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
COLOURS = {"sky": "blue", "grass": "green", "snow": "white", "coal": "black", "blood": "red", "sun": "yellow"}


@pytest.fixture(scope="session")
def checkpoint(write_llama, tmp_path_factory) -> Checkpoint:
    folder = tmp_path_factory.mktemp("base") / "tiny"
    write_llama(folder, "assistant: user: What colour is it? It is.\n", TEMPLATE)
    return Checkpoint(folder)


@pytest.fixture
def chats(write_dataset):
    """Writes a chat dataset; without arguments one that asks for colours."""

    def make(train=None, validation=None) -> Dataset:
        talks = [
            [
                {"role": "user", "content": f"What colour is {what}?"},
                {"role": "assistant", "content": f"It is {colour}."},
            ]
            for what, colour in COLOURS.items()
        ]
        splits = {
            "train": talks * 4 if train is None else train,
            "validation": talks if validation is None else validation,
        }
        documents = {split: [{"messages": talk} for talk in kept] for split, kept in splits.items()}
        return write_dataset("chats", "chat", documents)

    return make

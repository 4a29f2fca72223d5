"""A tiny chat model with an end token, and conversations with something to learn."""

from __future__ import annotations

import pytest
import torch

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


@pytest.fixture
def pairs(write_dataset) -> Dataset:
    """Inputs and outputs with something to learn."""
    made = [{"input": f"What colour is {what}?", "output": f"It is {colour}."} for what, colour in COLOURS.items()]
    return write_dataset("pairs", "pair", {"train": made * 4, "validation": made})


@pytest.fixture
def texts(write_dataset) -> Dataset:
    """Documents, of which one is longer than the model's context."""
    made = [{"text": f"What colour is {what}? It is {colour}."} for what, colour in COLOURS.items()]
    made.append({"text": " ".join(document["text"] for document in made)})
    return write_dataset("texts", "text", {"train": made * 4, "validation": made})


@pytest.fixture(scope="session")
def plain_loss():
    """Loss of the answers and their end tokens, computed the plain way."""

    def loss(model, tokenizer, talks) -> float:
        total, count = 0.0, 0
        for messages in talks:
            prompt = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, tokenize=False)
            answer = messages[-1]["content"] + tokenizer.eos_token
            pieces = [tokenizer(piece, add_special_tokens=False)["input_ids"] for piece in (prompt, answer)]
            ids, start = torch.tensor([pieces[0] + pieces[1]]), len(pieces[0])
            with torch.no_grad():
                scores = model(input_ids=ids).logits[0, start - 1 : -1].log_softmax(-1)
            total -= scores.gather(1, ids[0, start:, None]).sum().item()
            count += ids.shape[1] - start
        return total / count

    return loss

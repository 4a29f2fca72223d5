"""Perplexity is torch's cross-entropy over the right tokens."""

from __future__ import annotations

import math
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.core.errors import BadInput
from aictl.core.events import Events
from aictl.inference.load import load
from aictl.measure.perplexity import heldout, perplexity

TEXTS = ["The first document is about cats.", "The second, a little longer, is about dogs & 🙂."]
TALK = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello!"},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "See you."},
]


def dataset(folder, format, documents) -> Dataset:
    folder.mkdir()
    with DatasetWriter(folder, format) as writer:
        for document in documents:
            writer.add("validation", {**document, "source": "test"})
    return Dataset(folder)


@pytest.fixture(scope="module")
def model(chat_model):
    return load(chat_model, device="cpu")


def test_of_documents_every_token_counts(chat_model, model, tmp_path):
    windows = heldout(model, dataset(tmp_path / "d", "text", [{"text": text} for text in TEXTS]), tokens=10**6)
    module = AutoModelForCausalLM.from_pretrained(chat_model.folder)
    losses = []
    for text in TEXTS:
        ids = torch.tensor([model.encode(text)])
        with torch.inference_mode():
            logits = module(ids).logits[0, :-1]
        losses.append(torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none"))
    wanted = math.exp(torch.cat(losses).mean())
    assert perplexity(model, windows) == pytest.approx(wanted, rel=1e-5)


def test_a_model_that_knows_nothing_has_the_vocabulary_as_its_perplexity(chat_model, tmp_path):
    shutil.copytree(chat_model.folder, tmp_path / "flat")
    module = AutoModelForCausalLM.from_pretrained(chat_model.folder)
    torch.nn.init.zeros_(module.lm_head.weight)
    module.save_pretrained(tmp_path / "flat")
    flat = load(Checkpoint(tmp_path / "flat"), device="cpu")
    windows = heldout(flat, dataset(tmp_path / "d", "text", [{"text": TEXTS[0]}]), tokens=100)
    assert perplexity(flat, windows) == pytest.approx(chat_model.config["vocab_size"], rel=1e-6)


def test_of_conversations_the_assistants_words_count(model, tmp_path):
    windows = heldout(model, dataset(tmp_path / "d", "chat", [{"messages": TALK}]), tokens=10**6)
    assert [model.decode(window.ids[window.start :]) for window in windows] == ["Hello!", "See you."]
    assert model.decode(windows[0].ids[: windows[0].start]) == model.render_chat(TALK[:1])


def test_a_model_without_a_template_reads_the_turns(chat_model, tmp_path):
    shutil.copytree(chat_model.folder, tmp_path / "plain")
    (tmp_path / "plain" / "chat_template.jinja").unlink(missing_ok=True)
    plain = load(Checkpoint(tmp_path / "plain"), device="cpu")
    windows = heldout(plain, dataset(tmp_path / "d", "chat", [{"messages": TALK}]), tokens=10**6)
    assert [plain.decode(window.ids) for window in windows] == ["Hi\nHello!\nBye\nSee you."]


def test_windows_cover_a_long_document_once_and_stop_at_the_wanted_number(model, tmp_path):
    text = "abcdefghij" * 30
    held = dataset(tmp_path / "d", "text", [{"text": text}] * 3)
    windows = heldout(model, held, tokens=10**6, window=64)
    assert "".join(model.decode(window.ids) for window in windows) == text * 3
    assert max(len(window.ids) for window in windows) == 64
    some = heldout(model, held, tokens=100, window=64)
    assert 100 <= sum(window.predicted for window in some) < 100 + 64


def test_it_tells_how_far_it_is_and_refuses_an_empty_split(model, tmp_path):
    held = dataset(tmp_path / "d", "text", [{"text": TEXTS[0]}])
    told = []
    perplexity(model, heldout(model, held, tokens=10), events=Events(told.append))
    assert [type(event).__name__ for event in told] == ["Started", "Advanced", "Finished"]
    with pytest.raises(BadInput, match="'test'"):
        heldout(model, held, tokens=10, split="test")

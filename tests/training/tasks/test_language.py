"""A language model's lesson is judged as its loop judges it, and reads as fine-tuning does."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoTokenizer

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadInput
from aictl.core.events import silent
from aictl.training import precision
from aictl.training.batches import IGNORED
from aictl.training.spec import PrecisionSpec
from aictl.training.tasks.language import Reading, open_language_model

SENTENCES = ["the sky is blue", "the grass is green and long", "snow is white"]


@pytest.fixture
def checkpoint(write_llama, tmp_path) -> Checkpoint:
    write_llama(tmp_path / "model", " ".join(SENTENCES), "{{ messages }}")
    return Checkpoint(tmp_path / "model")


def opened(checkpoint, dataset, tmp_path):
    compute = precision.choose(PrecisionSpec(precision="fp32", device="cpu"))
    how = Reading(batch_size=2, held_out=1, longest=32, seed=0)
    return compute, *open_language_model(checkpoint, dataset, how, compute, scratch=tmp_path, events=silent)


def test_all_that_is_held_out_is_examined_and_some_is_judged(checkpoint, write_dataset, tmp_path):
    documents = [{"text": one} for one in SENTENCES]
    dataset = write_dataset("texts", "text", {"train": documents, "validation": documents})
    compute, model, lesson = opened(checkpoint, dataset, tmp_path)
    assert lesson.examples == 3
    assert [len(batch.inputs) for batch in lesson.held_out] == [1]
    found = lesson.examine(model, compute)
    assert all(one.requires_grad for one in model.parameters())
    assert (lesson.held_out[0].targets != IGNORED).any()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint.folder)
    total = counted = 0.0
    with torch.no_grad():
        for one in SENTENCES:
            ids = torch.tensor([tokenizer(one)["input_ids"]])
            if ids[0, -1] != tokenizer.eos_token_id:
                ids = torch.cat([ids, torch.tensor([[tokenizer.eos_token_id]])], dim=1)
            scores = model.eval()(input_ids=ids[:, :-1]).logits.log_softmax(-1)
            total -= float(scores.gather(2, ids[:, 1:, None]).sum())
            counted += ids.shape[1] - 1
    assert found["loss"] == pytest.approx(total / counted, rel=1e-4)


def test_a_dataset_without_anything_to_learn_is_refused(checkpoint, write_dataset, tmp_path):
    dataset = write_dataset("none", "text", {"train": [{"text": "x"}], "validation": []})
    with pytest.raises(BadInput, match="validation"):
        opened(checkpoint, dataset, tmp_path)

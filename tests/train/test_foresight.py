from __future__ import annotations

import json

import pytest

from aictl.core.errors import MachineLacks
from aictl.core.events import silent
from aictl.train.foresight import foresee
from aictl.train.spec import TrainSpec
from aictl.train.train import train
from aictl.training.spec import OptimizerSpec, PrecisionSpec


@pytest.fixture
def docs(write_dataset):
    return write_dataset(
        "docs", "text", {split: [{"text": "some words " * 50, "source": "a"}] for split in ("train", "validation")}
    )


def test_parameters_are_forecast_before_anything_is_learnt(docs):
    found = foresee(docs, TrainSpec(vocab_size=300), usable_bytes=None)
    assert found.parameters == pytest.approx(300 * 256 + 4 * (3 * 256 * 256 + 3 * 256 * 768), rel=0.01)
    assert found.fits
    assert found.seconds > 0
    json.dumps(found.document(), allow_nan=False)


def test_another_task_is_tried_and_forecast_in_documents(topics, places):
    slow = OptimizerSpec(learning_rate=1e-4)
    spec = TrainSpec(task="text-classification", max_steps=6, batch_size=4, vocab_size=300, optimizer=slow)
    found = foresee(topics, spec, usable_bytes=None)
    document = found.document()
    assert document["documents"] == 24
    assert document["documents_per_s"] > 0
    assert not {"tokens", "tokens_per_s"} & document.keys()
    folder, scratch = places("one")
    made = train(topics, spec, folder, scratch=scratch, events=silent)
    assert found.parameters == made.metrics["parameters"]
    assert found.memory_bytes["weights"] == 4 * found.parameters
    assert found.memory_bytes["activations"] > 0


def test_another_task_that_cannot_fit_is_refused_before_its_first_step(topics, places):
    folder, scratch = places("one")
    spec = TrainSpec(task="text-classification", max_steps=3, vocab_size=300)
    with pytest.raises(MachineLacks, match="would take"):
        train(topics, spec, folder, usable_bytes=1.0, scratch=scratch, events=silent)
    assert not (scratch / "metrics.jsonl").exists()


def test_what_cannot_fit_is_refused_before_any_work_unless_it_is_insisted_on(docs, places):
    folder, scratch = places("one")
    with pytest.raises(MachineLacks, match="would take") as raised:
        train(docs, TrainSpec(preset="large"), folder, usable_bytes=1e9, scratch=scratch, events=silent)
    assert "--ignore-memory" in (raised.value.cure or "")
    assert not any(scratch.iterdir())
    insisted = TrainSpec(precision=PrecisionSpec(ignore_memory=True))
    with pytest.raises(Exception, match="tokens to train on"):  # it went on to look at the text
        train(docs, insisted, folder, usable_bytes=1.0, scratch=scratch, events=silent)

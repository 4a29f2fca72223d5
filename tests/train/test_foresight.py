from __future__ import annotations

import json

import pytest

from aictl.core.errors import MachineLacks
from aictl.core.events import silent
from aictl.train.foresight import foresee
from aictl.train.spec import TrainSpec
from aictl.train.train import train
from aictl.training.spec import PrecisionSpec


@pytest.fixture
def docs(write_dataset):
    return write_dataset(
        "docs", "text", {split: [{"text": "some words " * 50, "source": "a"}] for split in ("train", "validation")}
    )


def test_parameters_are_forecast_before_anything_is_learnt(docs):
    found = foresee(docs, TrainSpec(vocab_size=300), usable_bytes=None, timed=True)
    assert found.parameters == pytest.approx(300 * 256 + 4 * (3 * 256 * 256 + 3 * 256 * 768), rel=0.01)
    assert found.fits
    assert found.seconds > 0
    json.dumps(found.document(), allow_nan=False)


def test_other_tasks_are_not_forecast(write_dataset):
    pairs = write_dataset("pairs", "pair", {"train": [{"input": "a", "output": "b", "source": "c"}]})
    assert foresee(pairs, TrainSpec(), usable_bytes=1.0, timed=False) is None


def test_what_cannot_fit_is_refused_before_any_work_unless_it_is_insisted_on(docs, places):
    folder, scratch = places("one")
    with pytest.raises(MachineLacks, match="would take") as raised:
        train(docs, TrainSpec(preset="large"), folder, usable_bytes=1e9, scratch=scratch, events=silent)
    assert "--ignore-memory" in (raised.value.cure or "")
    assert not any(scratch.iterdir())
    insisted = TrainSpec(precision=PrecisionSpec(ignore_memory=True))
    with pytest.raises(Exception, match="tokens to train on"):  # it went on to look at the text
        train(docs, insisted, folder, usable_bytes=1.0, scratch=scratch, events=silent)

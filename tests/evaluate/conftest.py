"""Evaluates what a test hands it, as the command does."""

from __future__ import annotations

import json

import pytest

from aictl.artifacts.evaluation import DOCUMENTS, Evaluation
from aictl.core.events import silent
from aictl.evaluate.evaluate import evaluate
from aictl.evaluate.spec import EvaluateSpec


@pytest.fixture
def run(places):
    """``run(model, dataset, other=None, name="run", **options)``: the evaluation, checked as the workspace does."""

    def make(model, dataset, other=None, *, name="run", events=silent, tasks_folder=None, **options) -> Evaluation:
        folder, scratch = places(name)
        options = {"resamples": 300, "device": "cpu", **options}
        spec = EvaluateSpec(**options)
        made = evaluate(model, dataset, other, spec, folder, tasks_folder=tasks_folder, scratch=scratch, events=events)
        made.check()
        return made

    return make


@pytest.fixture
def rows():
    """What a model came to on each document."""
    return lambda made: [json.loads(line) for line in (made.folder / DOCUMENTS).read_text("utf-8").splitlines()]

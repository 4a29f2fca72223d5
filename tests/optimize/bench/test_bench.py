"""Models are measured beside each other in processes of their own, and what goes wrong in one is told here."""

from __future__ import annotations

import shutil

import pytest
from tests.model.networks import write

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import BadRequest, Damaged, WorkFailed
from aictl.core.events import silent
from aictl.export.onnx import export
from aictl.export.spec import OnnxSpec
from aictl.optimize.bench.bench import _Worker, bench
from aictl.optimize.bench.worker import Job
from aictl.optimize.spec import BenchSpec

TEXTS = ["the capital of france is paris", "my cat sleeps on the warm kitchen floor", "what is my cat ?"]


@pytest.fixture
def texts(write_dataset):
    rows = [{"text": text, "label": "fine", "source": "t"} for text in TEXTS]
    return write_dataset("texts", "text", {"validation": rows})


def run(models, dataset, places, **options):
    folder, scratch = places("bench")
    return bench(models, dataset, BenchSpec(rounds=3, **options), folder, scratch=scratch, events=silent)


def require_sensible(made, labels, phases) -> None:
    made.check()
    facts = made.facts
    assert [one["label"] for one in facts["models"]] == labels
    for one in facts["models"]:
        assert set(one["latency"]) == phases
        for timed in one["latency"].values():
            assert 0 < timed["p50"] <= timed["p90"] <= timed["p99"]
            assert timed["low"] <= timed["high"]
        assert min(one["size_bytes"], one["memory_bytes"], one["load_s"], one["cpu_s"]) > 0
        assert all(some["per_s"] > 0 for some in one["throughput"])
    assert facts["models"][0]["speedup"] == {"ratio": 1.0, "low": 1.0, "high": 1.0}
    page = made.page_path.read_text("utf-8")
    assert all(label in page for label in labels)


@pytest.mark.slow
def test_language_models_by_token_and_by_how_many_run_at_once(chat_model, texts, places):
    folder, _ = places("onnx")
    export(chat_model, OnnxSpec(), folder, events=silent)
    graph = OnnxModel(folder, name="graph")
    made = run([chat_model, graph], texts, places, prompt_tokens=8, new_tokens=4, at_once=[1, 3])
    require_sensible(made, [chat_model.label, "graph"], {"first_token", "next_token"})
    torch_one, onnx_one = made.facts["models"]
    assert [some["at_once"] for some in torch_one["throughput"]] == [1, 3]
    assert torch_one["memory_bytes"] > 2 * onnx_one["memory_bytes"]  # a process that never imported torch
    assert set(made.metrics) == {chat_model.label, "graph"}


@pytest.mark.slow
def test_networks_by_pass_and_a_model_that_cannot_be_loaded_is_named(texts, places, tmp_path):
    checkpoint = Checkpoint(write(tmp_path / "checkpoint", "text-classification"), name="plain")
    folder, _ = places("onnx")
    export(checkpoint, OnnxSpec(), folder, events=silent)
    graph = OnnxModel(folder, name="graph")
    made = run([graph], texts, places, at_once="1,2")
    require_sensible(made, ["graph"], {"pass"})
    shutil.copytree(folder, tmp_path / "broken")
    broken = OnnxModel(tmp_path / "broken", name="broken")
    broken.model_path.write_bytes(broken.model_path.read_bytes()[:200])
    with pytest.raises(Damaged, match="'broken'"):
        run([graph, broken], texts, places)
    with pytest.raises(BadRequest, match="given twice"):
        run([graph, graph], texts, places)
    with pytest.raises(BadRequest, match="no split 'test'"):
        run([graph], texts, places, split="test")


def test_models_that_do_different_things_are_not_compared(chat_model, texts, places, tmp_path):
    other = Checkpoint(write(tmp_path / "checkpoint", "text-classification"), name="other")
    with pytest.raises(BadRequest, match="a language model and 'other' is a text classifier"):
        run([chat_model, other], texts, places)


def test_a_process_that_dies_is_told_with_its_last_words(tmp_path):
    job = Job("language", str(tmp_path / "nothing"), False, 1, "cpu", ["a"], 4, 2, [1])
    with pytest.raises((Damaged, WorkFailed), match="'gone'"):
        _Worker("gone", job, tmp_path / "log")
    with pytest.raises(WorkFailed, match="ended with"):
        _Worker("gone", job._replace(folder=None), tmp_path / "log")  # type: ignore[arg-type]

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import setuptools  # noqa: F401  (torch.compile asks for it, and it has to come before Python's own distutils)
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from aictl.artifacts.safetensors import parameter_count
from aictl.core.errors import BadInput, BadRequest, Interrupted, WorkFailed, WrongKind
from aictl.core.events import Advanced, Events, silent
from aictl.tokenizing.encoder import Encoder
from aictl.tokenizing.folder import TokenizerFolder
from aictl.tokenizing.packing import pack
from aictl.train import pretrain
from aictl.train.spec import TrainSpec
from aictl.train.train import train
from aictl.training.presets import PRESETS
from aictl.training.spec import LoopSpec, OptimizerSpec, PrecisionSpec

SPEC = TrainSpec(
    max_steps=30,
    batch_size=4,
    sequence_length=32,
    vocab_size=300,
    precision=PrecisionSpec(precision="fp32", device="cpu"),
    loop=LoopSpec(evaluate_every=10),
)


@pytest.fixture(autouse=True)
def smaller_preset(monkeypatch):
    """The real code on a shape that a test can afford."""
    tiny = dataclasses.replace(
        PRESETS["tiny"], hidden_size=64, layers=2, heads=1, key_value_heads=1, intermediate_size=128
    )
    monkeypatch.setitem(pretrain.PRESETS, "tiny", tiny)


def test_a_model_that_transformers_loads_and_that_learnt(dataset, places):
    folder, scratch = places("one")
    made = train(dataset, SPEC, folder, scratch=scratch, events=silent)
    made.check()
    metrics = made.metrics
    assert metrics["held_out"]["loss_after"] < metrics["held_out"]["loss_before"] - 1
    assert 1 < metrics["perplexity"] < 60
    assert 0 < metrics["held_out"]["bits_per_byte"] < 8
    assert metrics["parameters"] == parameter_count(folder / "model.safetensors")
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 30 + 4
    json.dumps(metrics, allow_nan=False)

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    assert made.context_length == model.config.max_position_embeddings == 32
    assert model.config.rope_parameters["rope_theta"] == made.config["rope_theta"]
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    text = "The cat sees the mouse in the garden.\nThe dog"
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        loss = model(input_ids=ids, labels=ids).loss.item()
    assert loss < metrics["held_out"]["loss_before"] - 1  # the saved weights are the trained ones
    out = model.generate(ids, max_new_tokens=3, do_sample=False)
    assert out.shape[1] > ids.shape[1]


def test_the_content_is_equal_for_equal_seeds_and_differs_for_others(dataset, places):
    def content(name: str, seed: int) -> str:
        folder, scratch = places(name)
        spec = SPEC.model_copy(update={"max_steps": 3, "loop": LoopSpec(seed=seed)})
        made = train(dataset, spec, folder, scratch=scratch, events=silent)
        import hashlib

        files = {path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in folder.iterdir()}
        return made.content(files)

    assert content("a", 1) == content("b", 1)
    assert content("c", 2) != content("a2", 1)


def test_an_interrupted_run_gives_the_same_model(dataset, places):
    folder, scratch = places("whole")
    train(dataset, SPEC, folder, scratch=scratch, events=silent)

    def sink(event: object) -> None:
        if isinstance(event, Advanced) and event.task == "train" and event.done == 11:
            raise Interrupted(signal.SIGTERM)

    cut, scratch = places("cut")
    with pytest.raises(Interrupted):
        train(dataset, SPEC, cut, scratch=scratch, events=Events(sink))
    told: list[object] = []
    train(dataset, SPEC, cut, scratch=scratch, events=Events(told.append))
    assert next(event.done for event in told if isinstance(event, Advanced)) == 11
    for name in ("model.safetensors", "tokenizer.json", "metrics.jsonl"):
        assert (cut / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_is_recorded_and_weights_stay_float32(dataset, places, precision):
    folder, scratch = places(precision)
    spec = SPEC.model_copy(update={"max_steps": 12, "precision": PrecisionSpec(precision=precision, device="cpu")})
    made = train(dataset, spec, folder, scratch=scratch, events=silent)
    assert made.metrics["precision"] == precision
    assert made.config["dtype"] == "float32"
    assert made.metrics["held_out"]["loss_after"] < made.metrics["held_out"]["loss_before"]


def test_a_sequence_beyond_the_context_is_refused(dataset, places):
    folder, scratch = places("long")
    with pytest.raises(BadRequest, match="--sequence-length 4096.*at most 1024"):
        train(dataset, SPEC.model_copy(update={"sequence_length": 4096}), folder, scratch=scratch, events=silent)


def test_a_dataset_that_is_too_small_is_refused(text_dataset, places):
    small = text_dataset("short", ["Too little."], ["Even less."])
    folder, scratch = places("small")
    with pytest.raises(BadInput, match="at least 129 are needed"):
        train(small, SPEC, folder, scratch=scratch, events=silent)


def test_a_dataset_without_validation_is_refused(text_dataset, places):
    lone = text_dataset("lone", ["Some words to learn. " * 100], [])
    folder, scratch = places("lone")
    with pytest.raises(BadInput, match="validation"):
        train(lone, SPEC, folder, scratch=scratch, events=silent)


def test_conversations_are_refused(write_dataset, places):
    chats = write_dataset("talks", "chat", {"train": [{"messages": []}]})
    folder, scratch = places("chats")
    with pytest.raises(WrongKind, match="format chat"):
        train(chats, SPEC, folder, scratch=scratch, events=silent)


def test_a_run_that_learns_nothing_fails(dataset, places):
    folder, scratch = places("wild")
    wild = SPEC.model_copy(
        update={
            "max_steps": 5,
            "optimizer": OptimizerSpec(learning_rate=0.99, warmup_fraction=0, max_gradient_norm=1e6),
        }
    )
    with pytest.raises(WorkFailed, match="learnt nothing|diverged"):
        train(dataset, wild, folder, scratch=scratch, events=silent)
    assert not (folder / "model.safetensors").exists()


@pytest.mark.slow
def test_compiling_changes_the_speed_and_not_the_result(dataset, places):
    import shutil

    if not (shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")):
        pytest.skip("torch.compile needs a C++ compiler, and there is none")
    losses = []
    for compiled in (False, True):
        folder, scratch = places(f"compiled {compiled}")
        precision = PrecisionSpec(precision="fp32", device="cpu", compile=compiled)
        spec = SPEC.model_copy(update={"max_steps": 5, "precision": precision})
        losses.append(train(dataset, spec, folder, scratch=scratch, events=silent).metrics["held_out"]["loss_after"])
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


@pytest.mark.slow
def test_the_command_resumes_after_kill_9(dataset, tmp_path, places):
    """The whole verb in a process of its own, killed without warning while it trains."""
    program = tmp_path / "run.py"
    program.write_text(
        textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from aictl.artifacts.dataset import Dataset
        from aictl.core.events import Advanced, Events
        from aictl.train.train import train
        from aictl.train.spec import TrainSpec
        def sink(event):
            if isinstance(event, Advanced) and event.task == "train":
                print(int(event.done), flush=True)
                time.sleep(0.05)
        made = Path(sys.argv[2]); made.mkdir(parents=True, exist_ok=True)
        scratch = Path(sys.argv[3]); scratch.mkdir(parents=True, exist_ok=True)
        spec = TrainSpec.model_validate_json(sys.argv[4])
        train(Dataset(Path(sys.argv[1])), spec, made, scratch=scratch, events=Events(sink))
        """)
    )
    spec = SPEC.model_copy(update={"max_steps": 8, "loop": LoopSpec(evaluate_every=4, save_every_s=0)})

    def start(name: str) -> subprocess.Popen[str]:
        words = [dataset.folder, tmp_path / name / "made", tmp_path / name / "scratch", spec.model_dump_json()]
        return subprocess.Popen([sys.executable, str(program), *map(str, words)], stdout=subprocess.PIPE, text=True)

    whole = start("whole")
    whole.communicate(timeout=300)
    assert whole.returncode == 0
    process = start("cut")
    assert process.stdout
    for line in process.stdout:
        if int(line) >= 4:
            break
    time.sleep(0.01)
    process.kill()
    process.communicate(timeout=60)
    assert not (tmp_path / "cut/made/model.safetensors").exists()
    again = start("cut")
    steps, _ = again.communicate(timeout=300)
    assert again.returncode == 0
    assert int(steps.split()[0]) >= 3
    for name in ("model.safetensors", "metrics.jsonl", "tokenizer.json"):
        assert (tmp_path / "cut/made" / name).read_bytes() == (tmp_path / "whole/made" / name).read_bytes()


def test_tokens_that_the_dataset_holds_are_taken(dataset, places, tmp_path):
    folder, scratch = places("tokenizer")
    first = train(dataset, SPEC, folder, scratch=scratch, events=silent)
    packed = TokenizerFolder(first.folder)
    texts = {split: lambda split=split: (one["text"] for one in dataset.documents(split)) for split in dataset.splits}
    pack(texts, Encoder(packed, silent), dataset.folder / "tokens", events=silent, shard_tokens=500)
    losses = []
    spec = SPEC.model_copy(update={"vocab_size": None})
    for name, hidden in (("there", False), ("away", True)):
        if hidden:
            (dataset.folder / "tokens").rename(tmp_path / "hidden")
        told = []
        folder, scratch = places(name)
        made = train(dataset, spec, folder, tokenizer=first, scratch=scratch, events=Events(told.append))
        losses.append(made.metrics["held_out"]["loss_after"])
        assert any("encode" in repr(event) for event in told) == hidden
    assert losses[0] == losses[1]
    (tmp_path / "hidden").rename(dataset.folder / "tokens")
    told = []
    folder, scratch = places("another")
    smaller = SPEC.model_copy(update={"vocab_size": 290})
    train(dataset, smaller, folder, scratch=scratch, events=Events(told.append))
    assert [event for event in told if "was packed by another tokenizer" in repr(event)]


def test_documents_that_share_a_sequence_are_read_for_themselves(dataset, places):
    masked = SPEC.model_copy(update={"document_mask": True})
    histories = []
    for name, spec in (("masked", masked), ("plain", SPEC)):
        folder, scratch = places(name)
        made = train(dataset, spec, folder, scratch=scratch, events=silent)
        assert made.metrics["held_out"]["loss_after"] < made.metrics["held_out"]["loss_before"] - 1
        histories.append((folder / "metrics.jsonl").read_text())
    assert histories[0] != histories[1]

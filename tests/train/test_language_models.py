from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from transformers import AutoModelForCausalLM

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.artifact import Source
from aictl.core.errors import BadInput, BadRequest
from aictl.core.events import silent
from aictl.train import pretrain
from aictl.train.options import ARCHITECTURES
from aictl.train.spec import TrainSpec
from aictl.train.train import train
from aictl.training.presets import PRESETS
from aictl.training.saving import older_rotary
from aictl.training.spec import LoopSpec, PrecisionSpec

SPEC = TrainSpec(
    max_steps=12,
    batch_size=4,
    sequence_length=32,
    vocab_size=300,
    precision=PrecisionSpec(precision="fp32", device="cpu"),
    loop=LoopSpec(evaluate_every=6),
)


@pytest.fixture(autouse=True)
def smaller_preset(monkeypatch):
    tiny = dataclasses.replace(
        PRESETS["tiny"], hidden_size=64, layers=2, heads=1, key_value_heads=1, intermediate_size=128
    )
    monkeypatch.setitem(pretrain.PRESETS, "tiny", tiny)


@pytest.fixture
def shape(tmp_path):
    """Writes a configuration: ``shape(text, suffix)``."""

    def write(text: str, suffix: str = ".json") -> Source:
        path = tmp_path / f"shape{suffix}"
        path.write_text(text)
        return Source(path.name, path, "0")

    return write


@pytest.mark.parametrize("architecture", ARCHITECTURES["language-model"])
def test_every_architecture_learns_and_loads(dataset, places, architecture):
    folder, scratch = places("one")
    spec = SPEC.model_copy(update={"architecture": architecture})
    made = train(dataset, spec, folder, scratch=scratch, events=silent)
    made.check()
    assert made.config["model_type"].replace("_", "-") == architecture
    assert made.metrics["held_out"]["loss_after"] < made.metrics["held_out"]["loss_before"] - 0.3
    model = AutoModelForCausalLM.from_pretrained(folder)
    ids = torch.tensor([[5, 6, 7]])
    assert model.generate(ids, max_new_tokens=2, do_sample=False).shape[1] > 3
    if architecture != "gpt2":
        assert made.config["rope_theta"] == model.config.rope_parameters["rope_theta"]


TOML = """
model_type = "gemma2"
hidden_size = 32
intermediate_size = 64
num_hidden_layers = 2
num_attention_heads = 2
num_key_value_heads = 1
head_dim = 16
"""


def test_any_decoder_of_transformers_can_be_had_by_a_file(dataset, places, shape):
    folder, scratch = places("one")
    made = train(dataset, SPEC, folder, config=shape(TOML, ".toml"), scratch=scratch, events=silent)
    assert made.config["architectures"] == ["Gemma2ForCausalLM"]
    assert made.config["vocab_size"] == 300
    assert made.config["max_position_embeddings"] == 32
    assert made.config["eos_token_id"] == 1


LLAMA = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 48,
}


def test_the_file_decides_over_the_context_and_the_vocabulary(dataset, places, shape):
    folder, scratch = places("one")
    source = shape(json.dumps({**LLAMA, "vocab_size": 512, "rope_theta": 5000.0}))
    made = train(dataset, SPEC, folder, config=source, scratch=scratch, events=silent)
    assert (made.config["vocab_size"], made.context_length, made.config["rope_theta"]) == (512, 48, 5000.0)


@pytest.mark.parametrize(
    ("changes", "message", "cure"),
    [
        ({"hiden_size": 64}, "a llama reads no hiden_size", "did you mean hidden_size"),
        ({"frobnicate": 1}, "a llama reads no frobnicate", "leave out frobnicate"),
        ({"vocab_size": 280}, "vocab_size 280 is less than the tokenizer's 300", "vocab_size"),
        ({"eos_token_id": 77}, "eos_token_id 77, and the tokenizer's is 1", "leave eos_token_id out"),
        ({"model_type": "bert-not"}, "no decoder that transformers has", "model_type"),
        ({"model_type": "t5"}, "no decoder that transformers has", "model_type"),
        ({"hidden_size": "wide"}, "shape.json: ", "correct"),
        ({"num_attention_heads": 3}, "shape.json: |cannot be built", None),
        (
            {"max_position_embeddings": 16},
            "--sequence-length 32: the model of --config has a context of at most 16",
            "16",
        ),
    ],
)
def test_a_configuration_that_would_not_be_followed_is_refused(dataset, places, shape, changes, message, cure):
    folder, scratch = places("bad")
    source = shape(json.dumps({**LLAMA, **changes}))
    with pytest.raises(BadRequest, match=message) as raised:
        train(dataset, SPEC, folder, config=source, scratch=scratch, events=silent)
    assert cure is None or cure in (raised.value.cure or "")


@pytest.mark.parametrize("text", ["{", "[]", '{"model_type": "llama"' + " " * 2**20 + "}"])
def test_a_file_that_is_no_configuration_is_refused(dataset, places, shape, text):
    folder, scratch = places("bad")
    with pytest.raises(BadInput, match="--config shape.json"):
        train(dataset, SPEC, folder, config=shape(text), scratch=scratch, events=silent)


def test_pretraining_goes_on_from_a_checkpoint_with_its_tokenizer_and_context(dataset, places):
    folder, scratch = places("first")
    first = train(dataset, SPEC, folder, scratch=scratch, events=silent)
    folder, scratch = places("second")
    spec = SPEC.model_copy(update={"vocab_size": None, "sequence_length": 16, "max_steps": 6})
    made = train(dataset, spec, folder, start=first, scratch=scratch, events=silent)
    assert made.context_length == first.context_length == 32
    assert made.metrics["held_out"]["loss_before"] < first.metrics["held_out"]["loss_before"] - 0.3
    assert (folder / "tokenizer.json").read_bytes() == (first.folder / "tokenizer.json").read_bytes()
    with pytest.raises(BadRequest, match=r"--sequence-length 64: '.*' has a context of at most 32"):
        train(
            dataset,
            spec.model_copy(update={"sequence_length": 64}),
            *places("bad")[:1],
            start=first,
            scratch=scratch,
            events=silent,
        )


def test_a_checkpoint_that_is_no_language_model_is_refused(dataset, places, tmp_path):
    from transformers import ResNetConfig, ResNetForImageClassification

    other = tmp_path / "resnet"
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8], depths=[1], layer_type="basic")
    ResNetForImageClassification(config).save_pretrained(other)
    folder, scratch = places("bad")
    with pytest.raises(BadRequest, match="'resnet' is for image-classification"):
        spec = SPEC.model_copy(update={"vocab_size": None})
        train(dataset, spec, folder, start=Checkpoint(other, name="resnet"), scratch=scratch, events=silent)


def test_rotary_angles_are_written_as_older_readers_want_them():
    scaled = {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e6}
    assert older_rotary({"rope_parameters": scaled}) == {
        "rope_theta": 1e6,
        "rope_scaling": {"rope_type": "linear", "factor": 2.0},
    }
    kinds = {
        "full_attention": {"rope_type": "default", "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    }
    assert older_rotary({"rope_parameters": kinds}) == {"rope_theta": 1e6, "rope_local_base_freq": 1e4}
    assert older_rotary({}) == {}

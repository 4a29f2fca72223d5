from __future__ import annotations

import json
import signal

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from aictl.artifacts.safetensors import read_header
from aictl.core.errors import BadRequest, Interrupted
from aictl.core.events import Advanced, Events, silent
from aictl.finetune.full import finetune
from aictl.finetune.spec import ExamplesSpec, FullOptimizerSpec, FullSpec
from aictl.finetune.weights import freeze
from aictl.training.spec import LoopSpec, PrecisionSpec

SPEC = FullSpec(
    max_steps=12,
    examples=ExamplesSpec(batch_size=6),
    optimizer=FullOptimizerSpec(learning_rate=2e-3),
    precision=PrecisionSpec(precision="fp32", device="cpu"),
    loop=LoopSpec(evaluate_every=10),
)


def test_plain_transformers_loads_what_was_made_and_finds_the_loss_of_the_record(checkpoint, chats, places, plain_loss):
    folder, scratch = places("full")
    dataset = chats()
    made = finetune(checkpoint, dataset, SPEC, folder, scratch=scratch, events=silent)
    made.check()
    held_out = made.metrics["held_out"]
    assert held_out["loss_after"] < held_out["loss_before"] - 1
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    talks = [document["messages"] for document in dataset.documents("validation")]
    assert plain_loss(model, tokenizer, talks) == pytest.approx(held_out["loss_after"], rel=1e-4)
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert json.loads((folder / "config.json").read_text())["rope_theta"] == 5000.0
    assert tokenizer.chat_template
    assert made.metrics["parameters"] == made.metrics["trained_parameters"] == model.num_parameters()


def test_frozen_weights_stay_and_the_format_is_the_one_asked_for(checkpoint, chats, places):
    folder, scratch = places("frozen")
    spec = SPEC.model_copy(update={"freeze": ["embeddings", "layers.0-0", "norm"], "max_steps": 3})
    made = finetune(checkpoint, chats(), spec, folder, scratch=scratch, events=silent)
    before, after = load_file(checkpoint.folder / "model.safetensors"), load_file(folder / "model.safetensors")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(".layers.1." in name for name in changed)
    assert made.metrics["trained_parameters"] == sum(before[name].numel() for name in before if ".layers.1." in name)


def test_bf16_can_be_kept(checkpoint, texts, places):
    folder, scratch = places("bf16")
    spec = SPEC.model_copy(update={"save_dtype": "bf16", "max_steps": 2})
    finetune(checkpoint, texts, spec, folder, scratch=scratch, events=silent)
    assert {entry["dtype"] for entry in read_header(folder / "model.safetensors").values()} == {"BF16"}
    assert json.loads((folder / "config.json").read_text())["dtype"] == "bfloat16"


def test_an_interrupted_run_gives_the_same_weights(checkpoint, chats, places):
    dataset = chats()
    folder, scratch = places("whole")
    finetune(checkpoint, dataset, SPEC, folder, scratch=scratch, events=silent)

    def sink(event: object) -> None:
        if isinstance(event, Advanced) and event.task == "train" and event.done == 7:
            raise Interrupted(signal.SIGTERM)

    cut, scratch = places("cut")
    with pytest.raises(Interrupted):
        finetune(checkpoint, dataset, SPEC, cut, scratch=scratch, events=Events(sink))
    finetune(checkpoint, dataset, SPEC, cut, scratch=scratch, events=silent)
    for name in ("model.safetensors", "config.json", "metrics.jsonl"):
        assert (cut / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize(
    ("patterns", "said"),
    [(["layer.7"], "--freeze layer.7: no weight"), (["embeddings", "layers", "norm"], "nothing is left")],
)
def test_patterns_that_name_nothing_or_everything_are_refused(checkpoint, patterns, said):
    with pytest.raises(BadRequest, match=said):
        freeze(AutoModelForCausalLM.from_pretrained(checkpoint.folder), patterns)

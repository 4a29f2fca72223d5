"""Whatever an adapter starts from and holds, plain peft reads it and finds what the record says."""

from __future__ import annotations

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.safetensors import read_header
from aictl.core.errors import BadRequest
from aictl.core.events import silent
from aictl.finetune.lora import finetune
from aictl.finetune.spec import ExamplesSpec, LoraOptimizerSpec, LoraSpec, LowRankSpec
from aictl.training.spec import LoopSpec, PrecisionSpec


def spec_of(**options) -> LoraSpec:
    return LoraSpec(
        low_rank=LowRankSpec(**{"rank": 4, "alpha": 8, **options}),
        max_steps=6,
        examples=ExamplesSpec(batch_size=6),
        optimizer=LoraOptimizerSpec(learning_rate=0.01),
        precision=PrecisionSpec(precision="fp32", device="cpu"),
        loop=LoopSpec(evaluate_every=10),
    )


def adapted_by_peft(checkpoint, folder):
    base = AutoModelForCausalLM.from_pretrained(checkpoint.folder)
    return PeftModel.from_pretrained(base, folder).eval()


@pytest.mark.parametrize(
    "options",
    [
        {"rs_lora": True},
        {"dora": True},
        {"init_weights": "gaussian"},
        {"init_weights": "orthogonal"},
        {"init_weights": "pissa"},
        {"init_weights": "pissa", "rs_lora": True},
        {"init_weights": "olora"},
        {"modules_to_save": ["norm"]},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_plain_peft_finds_the_loss_of_the_record(checkpoint, chats, places, plain_loss, options):
    folder, scratch = places("made")
    dataset = chats()
    made = finetune(checkpoint, dataset, spec_of(**options), folder, scratch=scratch, events=silent)
    made.check()
    held_out = made.metrics["held_out"]
    assert held_out["loss_after"] < held_out["loss_before"] - 0.3
    tokenizer = AutoTokenizer.from_pretrained(checkpoint.folder)
    talks = [document["messages"] for document in dataset.documents("validation")]
    found = plain_loss(adapted_by_peft(checkpoint, folder), tokenizer, talks)
    assert found == pytest.approx(held_out["loss_after"], rel=1e-3)


@pytest.mark.parametrize("init_weights", ["default", "gaussian", "pissa", "olora"])
def test_no_initialisation_changes_the_model_at_first(checkpoint, chats, places, init_weights):
    dataset, losses = chats(), []
    for number, name in enumerate(("default", init_weights)):
        folder, scratch = places(str(number))
        made = finetune(checkpoint, dataset, spec_of(init_weights=name), folder, scratch=scratch, events=silent)
        losses.append(made.metrics["held_out"]["loss_before"])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_what_pissa_keeps_has_twice_the_rank(checkpoint, chats, places):
    folder, scratch = places("pissa")
    made = finetune(checkpoint, chats(), spec_of(init_weights="pissa"), folder, scratch=scratch, events=silent)
    assert made.config["r"] == 8
    assert made.config["init_lora_weights"] is True
    shapes = {
        tuple(entry["shape"])[0]
        for name, entry in read_header(folder / "adapter_model.safetensors").items()
        if "lora_A" in name
    }
    assert shapes == {8}


def test_biases_are_trained_and_kept(chats, places, tmp_path, checkpoint):
    import shutil

    from transformers import Qwen2Config, Qwen2ForCausalLM

    shutil.copytree(checkpoint.folder, tmp_path / "qwen2")
    config = {
        name: checkpoint.config[name]
        for name in (
            "vocab_size",
            "hidden_size",
            "intermediate_size",
            "num_hidden_layers",
            "num_attention_heads",
            "num_key_value_heads",
            "max_position_embeddings",
        )
    }
    torch.manual_seed(0)
    Qwen2ForCausalLM(Qwen2Config(**config, tie_word_embeddings=True)).save_pretrained(tmp_path / "qwen2")
    folder, scratch = places("bias")
    finetune(Checkpoint(tmp_path / "qwen2"), chats(), spec_of(bias="all"), folder, scratch=scratch, events=silent)
    biases = [name for name in read_header(folder / "adapter_model.safetensors") if name.endswith(".bias")]
    assert len(biases) == 6  # of the queries, keys and values of two layers


def test_an_unknown_module_is_refused_with_those_that_are_like_it(checkpoint, chats, places):
    folder, scratch = places("unknown")
    with pytest.raises(BadRequest, match="--target-modules q_prj.*q_proj") as raised:
        finetune(checkpoint, chats(), spec_of(target_modules=["q_prj"]), folder, scratch=scratch, events=silent)
    assert "--target-modules q_proj" in (raised.value.cure or "")


def test_the_head_of_a_model_with_tied_weights_cannot_be_kept_apart(checkpoint, chats, places):
    folder, scratch = places("tied")
    with pytest.raises(BadRequest, match="one matrix"):
        finetune(checkpoint, chats(), spec_of(modules_to_save=["lm_head"]), folder, scratch=scratch, events=silent)

from __future__ import annotations

import pytest
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from aictl.core.errors import BadRequest
from aictl.core.events import silent
from aictl.finetune import lora
from aictl.finetune.qlora import finetune
from aictl.finetune.spec import ExamplesSpec, LoraOptimizerSpec, LowRankSpec, QloraSpec
from aictl.training.spec import LoopSpec, PrecisionSpec

SPEC = QloraSpec(
    low_rank=LowRankSpec(rank=4, alpha=8),
    max_steps=20,
    examples=ExamplesSpec(batch_size=6),
    optimizer=LoraOptimizerSpec(learning_rate=0.02),
    precision=PrecisionSpec(precision="fp32", device="cpu"),
    loop=LoopSpec(evaluate_every=10),
)


@pytest.mark.parametrize(("base_format", "bits"), [("nf4", 4), ("fp4", 4), ("int8", 8)])
def test_it_learns_nearly_as_well_in_a_fraction_of_the_memory(checkpoint, chats, places, plain_loss, base_format, bits):
    dataset = chats()
    plain_folder, plain_scratch = places("plain")
    plain = lora.finetune(checkpoint, dataset, SPEC, plain_folder, scratch=plain_scratch, events=silent)
    folder, scratch = places(base_format)
    spec = SPEC.model_copy(update={"base_format": base_format})
    made = finetune(checkpoint, dataset, spec, folder, scratch=scratch, events=silent)
    made.check()
    base = made.metrics["base"]
    assert base["format"] == base_format
    assert base["matrices"] == 14
    assert base["size_bytes"] < base["plain_bytes"] * (bits + 1) / 32
    before = plain.metrics["held_out"]["loss_before"]
    drop = before - plain.metrics["held_out"]["loss_after"]
    assert before - made.metrics["held_out"]["loss_after"] > 0.8 * drop
    tokenizer = AutoTokenizer.from_pretrained(checkpoint.folder)
    talks = [document["messages"] for document in dataset.documents("validation")]
    unquantised = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(checkpoint.folder), folder).eval()
    assert before - plain_loss(unquantised, tokenizer, talks) > 0.8 * drop


def test_double_quantisation_makes_it_smaller(checkpoint, chats, places):
    sizes = []
    dataset = chats()
    for double in (False, True):
        folder, scratch = places(f"double-{double}")
        spec = SPEC.model_copy(update={"double_quantization": double, "max_steps": 1})
        sizes.append(finetune(checkpoint, dataset, spec, folder, scratch=scratch, events=silent).metrics["base"])
    assert sizes[1]["size_bytes"] < sizes[0]["size_bytes"]


def test_a_start_that_changes_the_base_is_refused(checkpoint, chats, places):
    folder, scratch = places("pissa")
    spec = SPEC.model_copy(update={"low_rank": LowRankSpec(init_weights="pissa")})
    with pytest.raises(BadRequest, match="--init-weights pissa"):
        finetune(checkpoint, chats(), spec, folder, scratch=scratch, events=silent)

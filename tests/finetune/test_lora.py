from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.safetensors import parameter_count, read_header
from aictl.core.errors import BadInput, BadRequest, Damaged, Interrupted, WrongKind
from aictl.core.events import Advanced, Events, Noted, silent
from aictl.core.spec import flat_fields
from aictl.finetune.lora import finetune
from aictl.finetune.spec import ExamplesSpec, LoraOptimizerSpec, LoraSpec, LowRankSpec
from aictl.training.spec import LoopSpec, PrecisionSpec

SPEC = LoraSpec(
    low_rank=LowRankSpec(rank=4, alpha=8),
    max_steps=20,
    examples=ExamplesSpec(batch_size=6),
    optimizer=LoraOptimizerSpec(learning_rate=0.02),
    precision=PrecisionSpec(precision="fp32", device="cpu"),
    loop=LoopSpec(evaluate_every=10),
)


def adapting(max_steps: int = 20, **options) -> LoraSpec:
    low_rank = LowRankSpec(**{"rank": 4, "alpha": 8, **options})
    return SPEC.model_copy(update={"low_rank": low_rank, "max_steps": max_steps})


def test_the_adapter_lowers_the_held_out_loss_and_the_record_is_true(checkpoint, chats, places, plain_loss):
    folder, scratch = places("one")
    dataset = chats()
    made = finetune(checkpoint, dataset, SPEC, folder, scratch=scratch, events=silent)
    made.check()
    before, after = made.metrics["held_out"]["loss_before"], made.metrics["held_out"]["loss_after"]
    assert after < before - 1

    tokenizer = AutoTokenizer.from_pretrained(checkpoint.folder)
    talks = [document["messages"] for document in dataset.documents("validation")]
    plain = AutoModelForCausalLM.from_pretrained(checkpoint.folder).eval()
    assert plain_loss(plain, tokenizer, talks) == pytest.approx(before, rel=1e-4)
    adapted = PeftModel.from_pretrained(plain, folder).eval()
    assert plain_loss(adapted, tokenizer, talks) == pytest.approx(after, rel=1e-4)
    merged = adapted.merge_and_unload()
    assert plain_loss(merged, tokenizer, talks) == pytest.approx(after, rel=1e-3)
    assert merged.get_input_embeddings().weight is merged.get_output_embeddings().weight


def test_the_model_learns_to_stop(checkpoint, chats, places):
    folder, scratch = places("stop")
    spec = SPEC.model_copy(update={"max_steps": 100, "low_rank": LowRankSpec(rank=16, alpha=16)})
    made = finetune(checkpoint, chats(), spec, folder, scratch=scratch, events=silent)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint.folder)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(checkpoint.folder), made.folder).eval()
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What colour is snow?"}], add_generation_prompt=True, tokenize=False
    )
    ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]
    answer = model.generate(input_ids=ids, max_new_tokens=30, do_sample=False)[0, ids.shape[1] :].tolist()
    assert tokenizer.eos_token_id in answer
    assert tokenizer.decode(answer, skip_special_tokens=True).startswith("It is ")


def test_only_small_matrices_of_linear_layers_are_kept(checkpoint, chats, places):
    folder, scratch = places("small")
    made = finetune(checkpoint, chats(), SPEC, folder, scratch=scratch, events=silent)
    tensors = read_header(folder / "adapter_model.safetensors")
    assert all(".lora_" in name for name in tensors)
    assert not any("lm_head" in name or "embed" in name for name in tensors)
    assert made.metrics["parameters"] == parameter_count(folder / "adapter_model.safetensors")
    assert made.metrics["base_parameters"] == parameter_count(checkpoint.folder / "model.safetensors")
    config = made.config
    targets = {name.rpartition(".")[2] for name in config["target_modules"]}
    assert targets == {"down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"}
    assert config["target_modules"] == sorted(config["target_modules"])
    assert config["base_model_name_or_path"] == checkpoint.label
    assert (config["r"], config["lora_alpha"]) == (4, 8)
    assert not (folder / "README.md").exists()
    json.dumps(made.metrics, allow_nan=False)


def test_chosen_layers_alone_are_adapted(checkpoint, chats, places):
    folder, scratch = places("chosen")
    spec = adapting(max_steps=2, target_modules=["q_proj", "v_proj"])
    made = finetune(checkpoint, chats(), spec, folder, scratch=scratch, events=silent)
    assert made.config["target_modules"] == ["q_proj", "v_proj"]


def test_layers_that_are_not_there_are_refused(checkpoint, chats, places):
    folder, scratch = places("nowhere")
    spec = adapting(target_modules=["nowhere"])
    with pytest.raises(BadRequest, match="--target-modules nowhere"):
        finetune(checkpoint, chats(), spec, folder, scratch=scratch, events=silent)


def test_an_interrupted_run_gives_the_same_adapter(checkpoint, chats, places):
    spec = adapting(dropout=0.2)
    dataset = chats()
    folder, scratch = places("whole")
    finetune(checkpoint, dataset, spec, folder, scratch=scratch, events=silent)

    def sink(event: object) -> None:
        if isinstance(event, Advanced) and event.task == "train" and event.done == 7:
            raise Interrupted(signal.SIGINT)

    cut, scratch = places("cut")
    with pytest.raises(Interrupted):
        finetune(checkpoint, dataset, spec, cut, scratch=scratch, events=Events(sink))
    told: list[object] = []
    finetune(checkpoint, dataset, spec, cut, scratch=scratch, events=Events(told.append))
    assert next(event.done for event in told if isinstance(event, Advanced)) == 7
    for name in ("adapter_model.safetensors", "adapter_config.json", "metrics.jsonl"):
        assert (cut / name).read_bytes() == (folder / name).read_bytes()


def test_bf16_keeps_the_base_as_it_is_and_the_adapter_in_float32(checkpoint, chats, places):
    folder, scratch = places("bf16")
    spec = SPEC.model_copy(update={"precision": PrecisionSpec(precision="bf16", device="cpu")})
    before = (checkpoint.folder / "model.safetensors").read_bytes()
    made = finetune(checkpoint, chats(), spec, folder, scratch=scratch, events=silent)
    assert made.metrics["precision"] == "bf16"
    assert made.metrics["held_out"]["loss_after"] < made.metrics["held_out"]["loss_before"] - 1
    assert {entry["dtype"] for entry in read_header(folder / "adapter_model.safetensors").values()} == {"F32"}
    assert (checkpoint.folder / "model.safetensors").read_bytes() == before


def test_unusable_conversations_are_counted_and_set_aside(checkpoint, chats, places):
    folder, scratch = places("aside")
    good = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "It is."}]
    dataset = chats(train=[good] * 8 + [good[:1]] * 2, validation=[good])
    told: list[object] = []
    spec = SPEC.model_copy(update={"max_steps": 2})
    made = finetune(checkpoint, dataset, spec, folder, scratch=scratch, events=Events(told.append))
    assert made.metrics["conversations"] == 8
    warnings = [event.message for event in told if isinstance(event, Noted) and event.level == "warning"]
    assert any(text.startswith("2 conversations of the train split set aside") for text in warnings)


def test_a_dataset_without_an_answer_is_refused(checkpoint, chats, places):
    folder, scratch = places("none")
    dataset = chats(train=[[{"role": "user", "content": "Hi"}]])
    with pytest.raises(BadInput, match="no usable conversation in its train split"):
        finetune(checkpoint, dataset, SPEC, folder, scratch=scratch, events=silent)


def test_preferences_are_refused(checkpoint, write_dataset, places):
    preferences = write_dataset("which", "preference", {"train": [{"prompt": [], "chosen": [], "rejected": []}]})
    folder, scratch = places("which")
    with pytest.raises(WrongKind, match="format preference"):
        finetune(checkpoint, preferences, SPEC, folder, scratch=scratch, events=silent)


def changed(checkpoint: Checkpoint, folder: Path) -> Path:
    shutil.copytree(checkpoint.folder, folder)
    return folder


def test_a_base_model_without_a_chat_template_is_refused_with_a_cure(checkpoint, chats, places, tmp_path):
    plain = changed(checkpoint, tmp_path / "plain")
    config = json.loads((plain / "tokenizer_config.json").read_text())
    del config["chat_template"]
    (plain / "tokenizer_config.json").write_text(json.dumps(config))
    folder, scratch = places("plain-made")
    with pytest.raises(BadRequest, match="no chat template") as raised:
        finetune(Checkpoint(plain), chats(), SPEC, folder, scratch=scratch, events=silent)
    assert "nstruct" in (raised.value.cure or "")


def test_damaged_weights_are_said_to_be_damaged(checkpoint, chats, places, tmp_path):
    broken = changed(checkpoint, tmp_path / "broken")
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    folder, scratch = places("broken-made")
    with pytest.raises(Damaged, match="header promises"):
        finetune(Checkpoint(broken), chats(), SPEC, folder, scratch=scratch, events=silent)


def test_a_sequence_beyond_the_context_is_refused(checkpoint, chats, places):
    folder, scratch = places("long")
    spec = SPEC.model_copy(update={"examples": ExamplesSpec(sequence_length=65)})
    with pytest.raises(BadRequest, match="--sequence-length 65.*context of 64"):
        finetune(checkpoint, chats(), spec, folder, scratch=scratch, events=silent)


def test_every_option_has_a_help_text_and_a_name_of_its_own():
    for path, field in flat_fields(LoraSpec):
        assert field.description, path

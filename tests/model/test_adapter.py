"""Adapters that plain peft wrote, on the checkpoint that they belong to and on others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.artifact import InputRecord, Record
from aictl.core.errors import BadInput, BadRequest
from aictl.core.events import silent
from aictl.model.add import add
from aictl.model.spec import AddSpec

TOKENS = torch.arange(3, 40)[None]


@pytest.fixture
def theirs(folder_model, tmp_path) -> Path:
    """An adapter that changes what the model says."""
    torch.manual_seed(2)
    config = LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    folder = tmp_path / "theirs"
    get_peft_model(AutoModelForCausalLM.from_pretrained(folder_model), config).save_pretrained(folder)
    return folder


def bring(source, path: Path, made: Path, base: Path | None) -> Adapter:
    return add(source(path), AddSpec(), made, base=Checkpoint(base) if base else None, events=silent)


def test_an_adapter_of_peft_says_here_what_it_said_there(source, theirs, folder_model, made):
    adapter = bring(source, theirs, made, folder_model)
    assert isinstance(adapter, Adapter)
    adapter.check()
    assert sorted(path.name for path in made.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert adapter.metrics["rank"] == 4
    assert adapter.metrics["parameters"] == sum(
        one.numel() for one in load_file(made / "adapter_model.safetensors").values()
    )
    logits = [
        PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder_model), folder)(input_ids=TOKENS).logits
        for folder in (theirs, made)
    ]
    plain = AutoModelForCausalLM.from_pretrained(folder_model)(input_ids=TOKENS).logits
    assert torch.equal(*logits)
    assert not torch.allclose(logits[0], plain, atol=1e-3)


def test_an_adapter_and_its_checkpoint_belong_together(source, theirs, folder_model, made):
    with pytest.raises(BadRequest, match="nothing without the checkpoint") as raised:
        bring(source, theirs, made, None)
    assert raised.value.cure is not None
    assert "--checkpoint" in raised.value.cure
    with pytest.raises(BadRequest, match="--checkpoint is for an adapter"):
        bring(source, folder_model, made, folder_model)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"hidden_size": 32}, "size mismatch"),
        ({"num_hidden_layers": 3}, "would need 4 of its weights"),
        ({"num_hidden_layers": 1}, "has no place for 4 of its weights"),
    ],
)
def test_another_base_is_told(source, theirs, folder_model, made, tmp_path, change, says):
    other = tmp_path / "other"
    shutil.copytree(folder_model, other)
    shape = json.loads((folder_model / "config.json").read_text())
    LlamaForCausalLM(LlamaConfig(**(shape | change))).save_pretrained(other)
    with pytest.raises(BadInput, match=f"does not fit checkpoint 'other'.*{says}"):
        bring(source, theirs, made, other)


def test_broken_adapters_are_refused(source, theirs, folder_model, made):
    weights = theirs / "adapter_model.safetensors"
    whole, tensors = weights.read_bytes(), load_file(weights)
    weights.write_bytes(whole[:-10])
    with pytest.raises(BadInput, match="adapter_model.safetensors"):
        bring(source, theirs, made, folder_model)
    save_file({name: torch.full_like(one, float("nan")) for name, one in tensors.items()}, weights)
    with pytest.raises(BadInput, match="not finite"):
        bring(source, theirs, made, folder_model)
    weights.write_bytes(whole)
    settings = theirs / "adapter_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"peft_type": "PREFIX_TUNING"}))
    with pytest.raises(BadInput, match="'PREFIX_TUNING', and LORA"):
        bring(source, theirs, made, folder_model)
    weights.unlink()
    (theirs / "adapter_model.bin").write_bytes(b"x")
    with pytest.raises(BadInput, match=r"adapter_model.safetensors is not beside"):
        bring(source, theirs, made, folder_model)


def record(kind: str, id: str, *inputs: InputRecord) -> Record:
    return Record(kind, id, "", "", 1, {}, inputs, {}, {}, "", "", 0.0)


def test_one_that_was_made_here_goes_back_on_its_own_checkpoint_alone(source, theirs, folder_model, made):
    """Another of the same shape has a place for every weight, and would say something else."""
    base = InputRecord("checkpoint", "a" * 64, kind="checkpoint", name="base")
    (theirs / "artifact.json").write_bytes(record("adapter", "c" * 64, base).to_json())
    other = Checkpoint(folder_model, record=record("checkpoint", "b" * 64), name="other")
    with pytest.raises(BadInput, match=r"made on checkpoint 'base' of id a{12}, and 'other' is b{12}") as raised:
        add(source(theirs), AddSpec(), made, base=other, events=silent)
    assert raised.value.cure is not None
    assert f"--checkpoint {'a' * 12}" in raised.value.cure
    own = Checkpoint(folder_model, record=record("checkpoint", "a" * 64), name="again")
    assert add(source(theirs), AddSpec(), made, base=own, events=silent).metrics["rank"] == 4

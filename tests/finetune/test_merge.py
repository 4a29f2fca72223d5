"""A merged model says what the checkpoint says under its adapter, and belongs to no other."""

from __future__ import annotations

import shutil

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.safetensors import read_header
from aictl.commands.finetune import lora, merge
from aictl.core.errors import BadRequest, Damaged, GateMissed, NotFound
from aictl.testing.workspace import Bench, workspace  # noqa: F401

IDS = torch.arange(40)[None]
QUICK = {"max_steps": 3, "rank": 4, "batch_size": 6, "precision": "fp32", "learning_rate": 0.01}


@pytest.fixture
def kept(workspace: Bench, checkpoint, chats) -> tuple[Adapter, Checkpoint]:  # noqa: F811
    """An adapter in a workspace, and its checkpoint."""
    base, talks = workspace.keep(checkpoint, "base"), workspace.keep(chats(), "chats")
    adapter = workspace.run_command(
        lora.command, {"checkpoint": base, "dataset": talks}, name="tuned", path="finetune.lora", **QUICK
    ).artifact
    assert isinstance(adapter, Adapter) and isinstance(base, Checkpoint)
    return adapter, base


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS).logits[0]


def bare(folder, place):
    """The files of an artifact without its record, as they come from elsewhere."""
    return shutil.copytree(folder, place, ignore=shutil.ignore_patterns("artifact.json"))


def another(checkpoint: Checkpoint, folder, change) -> Checkpoint:
    bare(checkpoint.folder, folder)
    tensors = change(load_file(folder / "model.safetensors"))
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return Checkpoint(folder)


def test_the_merged_model_says_what_the_two_said(workspace: Bench, kept):  # noqa: F811
    adapter, base = kept
    made = workspace.run_command(merge.command, {"adapter": adapter}).artifact
    plain = AutoModelForCausalLM.from_pretrained(base.folder).eval()
    before = logits(plain)
    wanted = logits(PeftModel.from_pretrained(plain, adapter.folder).eval())
    found = logits(AutoModelForCausalLM.from_pretrained(made.folder).eval())
    assert torch.allclose(found, wanted, atol=1e-4)
    assert not torch.allclose(found, before, atol=1e-2)
    assert set(read_header(made.folder / "model.safetensors")) == set(read_header(base.folder / "model.safetensors"))
    assert (made.folder / "tokenizer.json").read_bytes() == (base.folder / "tokenizer.json").read_bytes()
    assert made.metrics["difference"]["merged"]["worst"] < 1e-5
    assert made.metrics["difference"]["kept"]["agreement"] == 1
    assert made.metrics["dtype"] == "float32"


def test_weights_are_kept_in_the_number_format_asked_for_and_what_that_costs_is_told(workspace: Bench, kept):  # noqa: F811
    adapter, _ = kept
    made = workspace.run_command(merge.command, {"adapter": adapter}, save_dtype="bf16").artifact
    assert {entry["dtype"] for entry in read_header(made.folder / "model.safetensors").values()} == {"BF16"}
    found = made.metrics["difference"]
    assert found["kept"]["worst"] > found["merged"]["worst"]


def test_a_gate_that_nothing_passes_keeps_nothing(workspace: Bench, kept):  # noqa: F811
    with pytest.raises(GateMissed, match="--max-difference is 1e-12"):
        workspace.run_command(merge.command, {"adapter": kept[0]}, max_difference=1e-12)


def test_another_base_is_refused_by_what_it_holds(workspace: Bench, kept, tmp_path):  # noqa: F811
    adapter, base = kept

    def scaled(tensors):
        return {name: tensor * 1.01 for name, tensor in tensors.items()}

    other = workspace.keep(another(base, tmp_path / "other", scaled), "other")
    with pytest.raises(BadRequest, match="belongs to a checkpoint"):
        workspace.run_command(merge.command, {"adapter": adapter, "base": other})
    same = workspace.keep(Checkpoint(bare(base.folder, tmp_path / "same")), "same")
    assert workspace.run_command(merge.command, {"adapter": adapter, "base": same}).artifact


def test_an_adapter_from_elsewhere_needs_a_base_that_fits_it(workspace: Bench, kept, tmp_path):  # noqa: F811
    adapter, base = kept
    foreign = workspace.keep(Adapter(bare(adapter.folder, tmp_path / "foreign")), "foreign")
    with pytest.raises(NotFound, match="was not made from"):
        workspace.run_command(merge.command, {"adapter": foreign})
    assert workspace.run_command(merge.command, {"adapter": foreign, "base": base}).artifact

    def narrow(tensors):
        return {
            name: tensor[:48]
            if ".gate_proj" in name or ".up_proj" in name
            else tensor[:, :48].contiguous()
            if ".down_proj" in name
            else tensor
            for name, tensor in tensors.items()
        }

    smaller = another(base, tmp_path / "smaller", narrow)
    config = (smaller.folder / "config.json").read_text()
    (smaller.folder / "config.json").write_text(config.replace('"intermediate_size": 96', '"intermediate_size": 48'))
    smaller = workspace.keep(Checkpoint(smaller.folder), "smaller")
    with pytest.raises(Damaged, match="does not fit checkpoint 'smaller"):
        workspace.run_command(merge.command, {"adapter": foreign, "base": smaller})

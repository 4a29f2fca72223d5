from __future__ import annotations

import json

import pytest
import torch
from transformers import AutoModelForCausalLM

from aictl.artifacts.checkpoint import Checkpoint
from aictl.training import saving


@pytest.fixture
def checkpoint(write_llama, tmp_path) -> Checkpoint:
    write_llama(tmp_path / "tiny", "What colour is it? It is.\n", "{{ messages }}")
    (tmp_path / "tiny" / "LICENSE").write_text("as you like")
    (tmp_path / "tiny" / "metrics.jsonl").write_text("")
    (tmp_path / "tiny" / "README.md").write_text("another model's card")
    return Checkpoint(tmp_path / "tiny")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_saved_is_read_alike_by_every_transformers(checkpoint, tmp_path, dtype):
    model = AutoModelForCausalLM.from_pretrained(checkpoint.folder)
    folder = tmp_path / "saved"
    folder.mkdir()
    saving.save(model, folder, dtype)
    saving.copy_beside(checkpoint, folder)
    made = Checkpoint(folder)
    made.check()
    assert saving.dtype_of(made) == dtype
    config = json.loads((folder / "config.json").read_text())
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 5000.0
    again = AutoModelForCausalLM.from_pretrained(folder)
    assert again.dtype == dtype
    assert torch.equal(again.model.norm.weight, model.model.norm.weight)
    kept = {path.name for path in folder.iterdir()}
    assert {"tokenizer.json", "tokenizer_config.json", "LICENSE"} <= kept
    assert not {"metrics.jsonl", "README.md"} & kept

from __future__ import annotations

import json

import pytest

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.artifact import InputRecord, Record


@pytest.mark.parametrize(
    ("task", "architecture", "capability"),
    [
        ("CAUSAL_LM", "LlamaForCausalLM", "text-generation"),
        ("SEQ_CLS", "LlamaForCausalLM", "text-classification"),
        (None, "ViTForImageClassification", "image-classification"),
    ],
)
def test_an_adapter_can_do_what_it_was_trained_for_and_otherwise_what_its_base_can(
    tmp_path, task, architecture, capability
):
    base, folder = tmp_path / "base", tmp_path / "adapter"
    base.mkdir()
    folder.mkdir()
    (base / "config.json").write_text(json.dumps({"model_type": "x", "architectures": [architecture]}))
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "task_type": task}))
    row = InputRecord("checkpoint", "0" * 64, kind="checkpoint", object="checkpoint/0")
    record = Record("adapter", "1" * 64, "2" * 64, "finetune.lora", 1, {}, (row,), {}, {}, "", "", 0.0)
    assert Adapter(folder, record=record, open_input=lambda _: Checkpoint(base)).capability == capability

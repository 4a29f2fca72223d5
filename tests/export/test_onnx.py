"""The exported graph says what PyTorch says, has only standard operators, and is a gate."""

from __future__ import annotations

import json
import shutil

import numpy as np
import onnx
import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, Qwen2Config

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.artifact import InputRecord, Record
from aictl.core.errors import GateMissed
from aictl.core.events import Events, silent
from aictl.export.onnx import export
from aictl.export.spec import OnnxSpec
from aictl.inference.generator import Sampling
from aictl.inference.load import load

ARCHITECTURES = {
    "qwen2": Qwen2Config(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2
    ),
    "gpt2": GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=128),
}


TOLD: list[object] = []


@pytest.fixture(scope="module")
def exported(chat_model, tmp_path_factory) -> OnnxModel:
    return export(chat_model, OnnxSpec(), tmp_path_factory.mktemp("onnx"), events=Events(TOLD.append))


def test_it_agrees_with_pytorch_in_every_situation_and_tells_so(exported):
    assert any("left padding" in getattr(event, "name", "") for event in TOLD)
    parity = exported.metrics["parity"]
    assert 0 < parity["worst"] < 1e-5
    assert parity["worst"] == max(parity[case] for case in ("empty_cache", "full_cache", "left_padding"))
    assert parity["prompts"] >= 3


def test_it_is_whole_and_says_what_it_is(exported, chat_model):
    exported.check()
    assert exported.facts == {
        "layout": "standard",
        "precision": "fp32",
        "opset": 20,
        "capability": "text-generation",
    }
    assert exported.context_length == chat_model.context_length
    assert {path.name for path in exported.folder.iterdir()} >= {
        "model.onnx", "model.onnx.data", "genai_config.json", "tokenizer.json", "tokenizer_config.json", "export.json",
        "generation_config.json",
    }  # fmt: skip
    loaded = load(exported, device="cpu")
    assert loaded.render_chat([{"role": "user", "content": "hi"}]).endswith("<|assistant|>")


def test_the_graph_has_standard_operators_and_named_free_dimensions(exported):
    onnx.checker.check_model(exported.model_path, full_check=True)
    graph = onnx.load(exported.model_path, load_external_data=False)
    assert {node.domain for node in graph.graph.node} <= {"", "ai.onnx"}
    assert not graph.functions
    dimensions = {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*graph.graph.input, *graph.graph.output)
    }
    assert dimensions["input_ids"] == dimensions["position_ids"] == ["batch", "length"]
    assert dimensions["attention_mask"] == ["batch", "total"]
    assert dimensions["past_key_values.1.value"] == ["batch", 2, "past", 8]
    assert dimensions["present.0.key"] == ["batch", 2, "total", 8]
    assert dimensions["logits"][:2] == ["batch", "length"]


def test_the_same_model_gives_the_same_bytes_and_no_path_of_this_machine(exported, chat_model, tmp_path):
    again = export(chat_model, OnnxSpec(), tmp_path, events=silent)
    for name in ("model.onnx", "model.onnx.data", "genai_config.json"):
        assert (again.folder / name).read_bytes() == (exported.folder / name).read_bytes(), name
    assert b".py" not in again.model_path.read_bytes()


def test_a_difference_above_the_tolerance_is_a_missed_gate(chat_model, tmp_path):
    with pytest.raises(GateMissed, match="1e-12 is accepted"):
        export(chat_model, OnnxSpec(tolerance=1e-12), tmp_path, events=silent)


def test_onnxruntime_genai_drives_it_as_it_is(exported):
    import onnxruntime_genai as genai

    ours = load(exported, device="cpu")
    prompt = ours.encode("Hello there")
    model = genai.Model(str(exported.folder))
    settings = genai.GeneratorParams(model)
    settings.set_search_options(max_length=len(prompt) + 10, do_sample=False)
    theirs = genai.Generator(model, settings)
    theirs.append_tokens(np.array(prompt, np.int32))
    while not theirs.is_done():
        theirs.generate_next_token()
    chosen = theirs.get_sequence(0)[len(prompt) :].tolist()
    text = "".join(piece.text for piece in ours.generate(prompt, Sampling(max_tokens=10)))
    assert ours.decode(chosen) == text


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_other_architectures_export_too(chat_model, tmp_path, name):
    checkpoint = _checkpoint(ARCHITECTURES[name], chat_model, tmp_path / "model")
    (tmp_path / "onnx").mkdir()
    made = export(checkpoint, OnnxSpec(), tmp_path / "onnx", events=silent)
    assert made.metrics["parity"]["worst"] < 1e-5
    prompt = load(made).encode("Hello there")
    wanted, got = load(checkpoint, device="cpu").logits(prompt), load(made, device="cpu").logits(prompt)
    assert np.abs(wanted - got).max() < 1e-5


@pytest.mark.parametrize(("precision", "near"), [("fp32", 1e-5), ("fp16", 1e-2)])
def test_an_adapter_is_merged_in(chat_model, tmp_path, precision, near):
    adapter = _adapter(chat_model, tmp_path / "adapter")
    (tmp_path / "onnx").mkdir()
    made = export(adapter, OnnxSpec(precision=precision), tmp_path / "onnx", events=silent)
    prompt = load(made).encode("Hello there")
    plain, adapted, got = (load(one, device="cpu").logits(prompt) for one in (chat_model, adapter, made))
    assert np.abs(adapted - got).max() < near
    assert np.abs(plain - adapted).max() > 2 * np.abs(adapted - got).max()
    assert np.abs(plain - got).max() > 1e-3


def _checkpoint(config, chat_model, folder) -> Checkpoint:
    """Random weights of an architecture, with the tiny model's tokenizer."""
    shutil.copytree(chat_model.folder, folder)
    config.vocab_size = chat_model.config["vocab_size"]
    config.bos_token_id = config.eos_token_id = None
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return Checkpoint(folder)


def _adapter(chat_model, folder) -> Adapter:
    """An untrained LoRA adapter whose two factors are both random, so that it changes the model."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    module = AutoModelForCausalLM.from_pretrained(chat_model.folder)
    config = LoraConfig(r=2, target_modules=["q_proj", "down_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(module, config).save_pretrained(folder)
    row = InputRecord(role="checkpoint", id="1", kind="checkpoint", object="checkpoint/1")
    record = Record(
        kind="adapter", id="2", key="", command="", revision=1, spec={}, inputs=(row,), files={}, metrics={},
        summary="", created="", seconds=0,
    )  # fmt: skip
    assert json.loads((folder / "adapter_config.json").read_text())["peft_type"] == "LORA"
    return Adapter(folder, record=record, name="tuned", open_input=lambda row: chat_model)

"""A workspace with a dataset, a model that was trained on it, an adapter of that, and a graph that is no LM."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import pytest

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.onnx import OnnxModel, write_facts
from aictl.artifacts.signature import Signature, Tensor
from aictl.core.command import Command, Takes
from aictl.core.spec import Spec, option
from aictl.testing.workspace import Bench


def write_weights(path: Path, shapes: dict[str, tuple[str, list[int]]]) -> None:
    """A safetensors file of zeros."""
    header, end = {}, 0
    for name, (dtype, shape) in shapes.items():
        size = {"F32": 4, "BF16": 2, "I64": 8}[dtype]
        for extent in shape:
            size *= extent
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))


def write_checkpoint(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "max_position_embeddings": 64}
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": 10, "num_hidden_layers": 2}))
    layers = {f"model.layers.{n}.mlp.up_proj.weight": ("BF16", [4, 6]) for n in range(2)}
    other = {"model.embed_tokens.weight": ("BF16", [10, 4]), "model.norm.weight": ("F32", [4])}
    write_weights(folder / "model.safetensors", layers | other | {"model.positions": ("I64", [64])})
    vocabulary = {f"t{n}": n for n in range(10)}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": "BPE", "vocab": vocabulary}}))
    config = {"eos_token": "t1", "chat_template": "{{ messages }}", "model_max_length": 64}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


class TrainSpec(Spec):
    steps: int = option(3, help="steps")


METRICS = {"perplexity": 12.5, "held_out": {"loss_before": 4.0, "loss_after": 2.5, "tokens": 100}, "parameters": 92}


@pytest.fixture
def bench(tmp_path, write_dataset) -> Bench:
    bench = Bench(tmp_path / "workspace")
    docs = write_dataset("docs", "text", {"train": [{"text": "a", "source": "b"}], "validation": []})
    bench.keep(docs, name="docs")

    def train(work):
        write_checkpoint(work.folder)
        return Checkpoint(work.folder, metrics=METRICS, summary="92 parameters")

    def finetune(work):
        config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 2, "target_modules": ["up_proj"]}
        (work.folder / "adapter_config.json").write_text(json.dumps(config))
        weights = {"base_model.model.layers.0.mlp.up_proj.lora_A.weight": ("F32", [2, 6])}
        write_weights(work.folder / "adapter_model.safetensors", weights)
        return Adapter(work.folder, metrics={"perplexity": 9.0}, summary="rank 2")

    trains = Command(run=train, spec=TrainSpec, takes=[Takes("dataset", (Dataset,), help="d")], makes=(Checkpoint,))
    tunes = Command(run=finetune, takes=[Takes("checkpoint", (Checkpoint,), help="c")], makes=(Adapter,))
    bench.run_command(trains, {"dataset": "docs"}, name="base", path="train")
    bench.run_command(tunes, {"checkpoint": "base"}, name="support", path="finetune.lora")
    return bench


@pytest.fixture
def graph(tmp_path) -> OnnxModel:
    """A small graph of pictures in, scores out, with its weights inside of the file."""
    import numpy as np
    import onnx

    folder = tmp_path / "graph"
    folder.mkdir()
    tensor, helper = onnx.helper.make_tensor_value_info, onnx.helper
    body = helper.make_graph(
        [
            helper.make_node("Reshape", ["image", "flat"], ["row"]),
            helper.make_node("MatMul", ["row", "weights"], ["scores"]),
        ],
        "scores",
        [tensor("image", onnx.TensorProto.FLOAT, ["batch", 8, 8, 1])],
        [tensor("scores", onnx.TensorProto.FLOAT, ["batch", 10])],
        [
            onnx.numpy_helper.from_array(np.ones((64, 10), np.float32), "weights"),
            onnx.numpy_helper.from_array(np.array([-1, 64]), "flat"),
        ],
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    signature = Signature(
        (Tensor("image", "float32", ("batch", 8, 8, 1)),), (Tensor("scores", "float32", ("batch", 10)),)
    )
    facts = {"layout": "standard", "precision": "fp32", "opset": 18}
    write_facts(folder, **facts, capability="image-classification", signature=signature)
    return OnnxModel(folder)


@pytest.fixture
def remove(bench):
    """Takes an artifact out of the workspace behind its back."""

    def remove(name: str) -> None:
        for link in (bench.root / "artifacts").glob(f"*/{name}@*"):
            shutil.rmtree(link.resolve())

    return remove

"""Small models as onnx artifacts: a Llama that aictl itself exported, and two classifiers written operator by
operator, which takes no time."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aictl.artifacts.capability import Capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel, write_facts
from aictl.artifacts.onnx_header import read_header
from aictl.core.events import silent

os.environ["HF_HUB_OFFLINE"] = "1"
_TOKENS = ("input_ids", "attention_mask")
PICTURE = {"image_processor_type": "ViTImageProcessor", "do_resize": True, "size": {"height": 8, "width": 8}}


@pytest.fixture(scope="session")
def language(tmp_path_factory: pytest.TempPathFactory) -> OnnxModel:
    """A Llama of 300 tokens with random weights, large enough for its head to tell tokens apart."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from aictl.export.onnx import export
    from aictl.export.spec import OnnxSpec

    checkpoint, folder = (tmp_path_factory.mktemp(name) for name in ("checkpoint", "language"))
    config = LlamaConfig(
        vocab_size=300, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=64, max_position_embeddings=64, initializer_range=0.2,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(checkpoint)
    _write_tokenizer(checkpoint)
    made = export(Checkpoint(checkpoint), OnnxSpec(), folder, events=silent)
    return OnnxModel(folder, metrics=made.metrics, name="language")


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> OnnxModel:
    """Tells two classes of texts apart by the mean of their tokens' vectors."""
    from onnx import TensorProto, helper

    folder = tmp_path_factory.mktemp("texts")
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["vectors"]),
        helper.make_node("Cast", ["attention_mask"], ["counted"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["counted", "last"], ["wide"]),
        helper.make_node("Mul", ["vectors", "wide"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "middle"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["counted", "middle"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["mean"]),
        helper.make_node("MatMul", ["mean", "head"], ["logits"]),
    ]
    taken = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"]) for name in _TOKENS]
    axes = {"last": np.array([-1]), "middle": np.array([1])}
    _write_graph(folder, nodes, taken, {"table": _random(256, 16), "head": _random(16, 2), **axes})
    _write_tokenizer(folder)
    return _described(folder, "text-classification", "fp32", {"model_type": "bert", "id2label": {0: "dull", 1: "fine"}})


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> OnnxModel:
    """Tells two classes of pictures apart, in fp16."""
    from onnx import TensorProto, helper

    folder = tmp_path_factory.mktemp("pictures")
    nodes = [
        helper.make_node("Flatten", ["pixel_values"], ["flat"]),
        helper.make_node("Cast", ["flat"], ["narrow"], to=TensorProto.FLOAT16),
        helper.make_node("MatMul", ["narrow", "head"], ["found"]),
        helper.make_node("Cast", ["found"], ["logits"], to=TensorProto.FLOAT),
    ]
    taken = [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", 3, 8, 8])]
    _write_graph(folder, nodes, taken, {"head": _random(192, 2).astype(np.float16)})
    (folder / "preprocessor_config.json").write_text(json.dumps(PICTURE))
    return _described(folder, "image-classification", "fp16", {"model_type": "vit", "id2label": {0: "cat", 1: "dog"}})


def _write_graph(folder: Path, nodes: list[Any], taken: list[Any], held: dict[str, np.ndarray]) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    given = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])]
    weights = [numpy_helper.from_array(values, name) for name, values in held.items()]
    graph = helper.make_graph(nodes, "graph", taken, given, weights)
    opset = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), folder / "model.onnx")


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def _described(folder: Path, capability: Capability, precision: str, config: dict[str, Any]) -> OnnxModel:
    (folder / "config.json").write_text(json.dumps(config))
    signature = read_header(folder / "model.onnx").signature
    stated: dict[str, Any] = {"capability": capability, "signature": signature}
    write_facts(folder, layout="standard", precision=precision, opset=20, **stated)
    return OnnxModel(folder, name=folder.name)


def _write_tokenizer(folder: Path) -> None:
    """Byte-level, so that every text has tokens below 256."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: index for index, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))

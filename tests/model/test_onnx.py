"""ONNX models whose files are not whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from aictl.core.errors import BadInput
from aictl.core.events import silent
from aictl.model.onnx import bring


@pytest.fixture
def graph(folder_model, tmp_path) -> Path:
    """A real graph with its weights beside it, a tokenizer, and the configuration that names it: whole
    as files, though no language model."""
    folder = tmp_path / "graph"
    folder.mkdir()
    shutil.copy(folder_model / "tokenizer.json", folder)
    weight = numpy_helper.from_array(np.ones((64, 64), np.float32), "weight")
    node = helper.make_node("MatMul", ["x", "weight"], ["y"])
    shape = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 64]) for name in "xy"}
    model = helper.make_model(helper.make_graph([node], "one", [shape["x"]], [shape["y"]], [weight]))
    onnx.save(model, folder / "model.onnx", save_as_external_data=True, location="model.onnx.data")
    (folder / "genai_config.json").write_text(json.dumps({"model": {"decoder": {"filename": "model.onnx"}}}))
    return folder


def test_a_whole_graph_is_copied_with_its_weights(graph, made):
    assert bring(graph, made, silent) == {"format": "onnx", "dtype": "fp32"}
    copied = onnx.load(made / "model.onnx")
    assert numpy_helper.to_array(copied.graph.initializer[0]).sum() == 64 * 64


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("tokenizer.json", None, "holds no tokenizer (tokenizer.json)"),
        ("tokenizer.json", b"{", "tokenizer.json is no whole tokenizer"),
        ("model.onnx", b"", "model.onnx is empty"),
        ("model.onnx", b"\x10" * 5000, "model.onnx is not a whole ONNX file"),
        ("model.onnx", None, "names the graph model.onnx, which is not there"),
        ("model.onnx.data", None, "model.onnx keeps its weights in model.onnx.data, which is not there"),
        ("model.onnx.data", b"\0" * 100, "model.onnx.data has 100 bytes, and the weights of model.onnx go on"),
        ("genai_config.json", b"{}", "genai_config.json names no graph"),
        ("genai_config.json", b'{"model": 3}', "genai_config.json names no graph"),
        ("genai_config.json", b'{"model": {"decoder": {"filename": 3}}}', "names the graph 3, which is not there"),
    ],
)
def test_what_is_not_whole_is_named(graph, made, name, content, says):
    (graph / name).unlink() if content is None else (graph / name).write_bytes(content)
    with pytest.raises(BadInput) as caught:
        bring(graph, made, silent)
    assert str(graph) in caught.value.message and says in caught.value.message and caught.value.cure
    assert not list(made.iterdir())


def test_weights_outside_of_its_folder_are_not_read(graph, made):
    path = graph / "model.onnx"
    (graph.parent / "secret").write_bytes(bytes(10**6))
    stolen = onnx.load(path, load_external_data=False)
    for tensor in stolen.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../secret"
    path.write_bytes(stolen.SerializeToString())
    with pytest.raises(BadInput, match=r"in '\.\./secret', which is outside of its folder"):
        bring(graph, made, silent)


def test_a_graph_that_is_cut_short_is_named(graph, made):
    path = graph / "model.onnx"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadInput, match=r"model\.onnx is not a whole ONNX file"):
        bring(graph, made, silent)

from __future__ import annotations

import numpy as np
import pytest

from aictl.artifacts.onnx_header import joined, read_header
from aictl.core.errors import Damaged

onnx = pytest.importorskip("onnx", reason="writing a graph to read needs the extra export")


@pytest.fixture
def path(tmp_path):
    helper, kind = onnx.helper, onnx.TensorProto
    info = helper.make_tensor_value_info
    weights = {
        "a": np.ones((3, 5), np.float32),
        "b": np.ones(7, np.float16),
        "c": np.arange(4),
        "scale": np.array(2.0, np.float32),
    }
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "a"], ["y"]), helper.make_node("Own", ["y"], ["z"], domain="me")],
        "g",
        # An older file names its initialisers among the inputs too.
        [info("x", kind.FLOAT, ["batch", 3]), info("a", kind.FLOAT, [3, 5])],
        [info("z", kind.INT64, ["batch", None])],
        [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()],
        doc_string="long " * 200,
    )
    opsets = [helper.make_opsetid("me", 3), helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def test_it_says_what_onnx_itself_says(path):
    header = read_header(path)
    assert header.opset == 17
    assert header.operators == {"MatMul": 1, "Own": 1}
    assert header.values == {"float32": 16, "float16": 7, "int64": 4}
    assert header.weights == 23
    assert [(one.name, one.type, one.shape) for one in header.signature.inputs] == [("x", "float32", ("batch", 3))]
    assert [(one.name, one.type, one.shape) for one in header.signature.outputs] == [("z", "int64", ("batch", ""))]


def test_weights_beside_the_file_are_counted_and_not_needed(path, tmp_path):
    model = onnx.load(path)
    onnx.save(model, tmp_path / "e.onnx", save_as_external_data=True, location="e.data", size_threshold=0)
    (tmp_path / "e.data").unlink()
    found = read_header(tmp_path / "e.onnx")
    assert found._replace(outside=()) == read_header(path)
    assert found.outside == (
        ("a", "e.data", 0, 60),
        ("b", "e.data", 60, 14),
        ("c", "e.data", 74, 32),
        ("scale", "e.data", 106, 4),
    )


def test_no_cut_and_no_flipped_byte_is_more_than_an_error(path, tmp_path):
    whole = path.read_bytes()
    spoilt = tmp_path / "spoilt.onnx"
    refused = 0
    random = np.random.default_rng(0)
    for _ in range(300):
        content = bytearray(whole)
        content[random.integers(len(content))] = random.integers(256)
        spoilt.write_bytes(content[: random.integers(len(content) + 1)])
        try:
            read_header(spoilt)
        except Damaged as error:
            refused += 1
            assert "is not a whole ONNX file" in error.message
    assert refused > 200


@pytest.mark.parametrize("content", [b"", b"\x08\x09", b"no protobuf at all", b"\xff" * 100])
def test_what_is_no_graph_is_refused(tmp_path, content):
    (tmp_path / "no.onnx").write_bytes(content)
    with pytest.raises(Damaged):
        read_header(tmp_path / "no.onnx")


def test_several_are_taken_together(path):
    one = read_header(path)
    both = joined([one, one])
    assert both.weights == 2 * one.weights
    assert both.operators == {"MatMul": 2, "Own": 2}
    assert both.signature.inputs == one.signature.inputs

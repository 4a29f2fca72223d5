"""What computes a graph is what was asked for, operator by operator."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from aictl.core.errors import MachineLacks
from aictl.inference.session import open_session, require_on


@pytest.fixture
def graph(tmp_path):
    """y = x · w, then its sign."""
    weights = onnx.numpy_helper.from_array(np.ones((4, 3), np.float32), "w")
    nodes = [onnx.helper.make_node("MatMul", ["x", "w"], ["p"]), onnx.helper.make_node("Sign", ["p"], ["y"])]
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("x", [2, 4]), ("y", [2, 3]))
    ]
    made = onnx.helper.make_graph(nodes, "product", ends[:1], ends[1:], [weights])
    onnx.save(onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10),
              tmp_path / "model.onnx")  # fmt: skip
    return tmp_path / "model.onnx"


class Placed:
    """A session as one is where a provider loads and can place nothing: only what it says of that is changed."""

    def __init__(self, session: onnxruntime.InferenceSession, claims: str) -> None:
        self._session, self._claims = session, claims

    def get_providers(self):
        return [self._claims, *self._session.get_providers()]

    def get_provider_graph_assignment_info(self):
        return self._session.get_provider_graph_assignment_info()


def test_operators_that_run_elsewhere_are_named(graph):
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    require_on(session, "CPUExecutionProvider")
    with pytest.raises(MachineLacks, match="could not load it"):
        require_on(session, "CUDAExecutionProvider")
    with pytest.raises(MachineLacks, match="1 of the 1 operators .* would not run on CUDAExecutionProvider: MatMul"):
        require_on(Placed(session, "CUDAExecutionProvider"), "CUDAExecutionProvider")


def test_a_device_that_is_not_there_is_not_replaced(graph):
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    with pytest.raises(MachineLacks, match="without CUDA"):
        open_session(graph, device="cuda")
    assert open_session(graph, device="auto").get_providers() == ["CPUExecutionProvider"]

"""Which versions of the ONNX operators can be written and run here."""

from __future__ import annotations

import onnx
import onnxruntime

from aictl.core.errors import MachineLacks


def require_opset(opset: int) -> None:
    """Raise :class:`MachineLacks` for a version that the installed onnxruntime does not read."""
    newest = onnx.defs.onnx_opset_version()
    if opset > newest:
        raise MachineLacks(f"onnx {onnx.__version__} knows opsets up to {newest}, and --opset is {opset}")
    try:
        onnxruntime.InferenceSession(_least(opset), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no public base class of their own
        raise MachineLacks(
            f"onnxruntime {onnxruntime.__version__} does not read opset {opset}, so it could not be tried here",
            cure="a lower --opset, or a newer onnxruntime",
        ) from error


def _least(opset: int) -> bytes:
    """A graph of that version that gives what it takes."""
    number = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["x"], ["y"])],
        "least",
        [number("x", onnx.TensorProto.FLOAT, [1])],
        [number("y", onnx.TensorProto.FLOAT, [1])],
    )
    versions = [onnx.helper.make_opsetid("", opset)]
    return onnx.helper.make_model(graph, opset_imports=versions, ir_version=8).SerializeToString()

"""An ONNX language model with its ``genai_config.json``, as onnxruntime-genai publishes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx

from aictl.artifacts.onnx import copy_text_files, write_facts
from aictl.core.errors import BadInput
from aictl.core.events import Events

_INT4, _INT8 = {"MatMulNBits"}, {"MatMulInteger", "DynamicQuantizeMatMul", "QLinearMatMul", "MatMulIntegerToFloat"}


def bring(source: Path, folder: Path, events: Events) -> dict[str, Any]:
    """Copy the graph, its weights and its tokenizer into ``folder`` and return what is known of
    it. Raises :class:`BadInput` for a graph that is cut short or lacks its tokenizer."""
    path = source / "genai_config.json"
    try:
        driving = json.loads(path.read_text("utf-8"))
        name = driving["model"]["decoder"]["filename"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} names no graph: {error}", cure="download the model again") from error
    if "/" in name or not (source / name).is_file():
        raise BadInput(f"{path} names the graph {name}, which is not there", cure="download the model again")
    if not (source / "tokenizer.json").is_file():
        raise BadInput(f"{source} has no tokenizer.json", cure="add the tokenizer that the model was trained with")
    events.started("copy graph")
    try:
        graph = onnx.load(source / name)
        onnx.save(graph, folder / "model.onnx", save_as_external_data=True, location="model.onnx.data")
    except OSError:
        raise
    except Exception as error:  # protobuf's and onnx's own errors
        raise BadInput(f"{source / name} is not a whole ONNX file: {error}", cure="download the model again") from error
    driving["model"]["decoder"]["filename"] = "model.onnx"
    driving.setdefault("search", {}).setdefault("past_present_share_buffer", False)
    (folder / "genai_config.json").write_text(json.dumps(driving, indent=1) + "\n", "utf-8")
    copy_text_files(source, folder)
    opset = next((one.version for one in graph.opset_import if one.domain in ("", "ai.onnx")), 0)
    fused = any(node.domain not in ("", "ai.onnx") for node in graph.graph.node)
    precision = _precision(graph)
    write_facts(folder, layout="fused" if fused else "standard", precision=precision, opset=opset)
    events.finished("copy graph")
    return {"format": "onnx", "dtype": precision}


def _precision(graph: Any) -> str:
    operators = {node.op_type for node in graph.graph.node}
    if operators & _INT4:
        return "int4"
    if operators & _INT8:
        return "int8"
    halves = sum(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in graph.graph.initializer)
    return "fp16" if halves > len(graph.graph.initializer) / 2 else "fp32"

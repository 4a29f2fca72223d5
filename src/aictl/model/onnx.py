"""An ONNX language model with its ``genai_config.json``, as onnxruntime-genai publishes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from aictl.artifacts.onnx import copy_text_files, write_facts
from aictl.artifacts.onnx_weights import require_whole
from aictl.core.errors import BadInput, Damaged
from aictl.core.events import Events
from aictl.model import tokenizer
from aictl.model.intact import AGAIN, one_line, read_json, require_content

_INT4, _INT8 = {"MatMulNBits"}, {"MatMulInteger", "DynamicQuantizeMatMul", "QLinearMatMul", "MatMulIntegerToFloat"}


def bring(source: Path, folder: Path, events: Events) -> dict[str, Any]:
    """Copy the graph, its weights and its tokenizer into ``folder`` and return what is known of
    it. Raises :class:`BadInput` for a graph that is cut short or lacks its tokenizer."""
    path = source / "genai_config.json"
    driving = read_json(path)
    try:
        name = str(driving["model"]["decoder"]["filename"])
    except (KeyError, TypeError) as error:
        raise BadInput(f"{path} names no graph (model.decoder.filename)", cure=AGAIN) from error
    if "/" in name or not (source / name).is_file():
        raise BadInput(f"{path} names the graph {name}, which is not there", cure=AGAIN)
    tokenizer.require(source)
    if not (source / tokenizer.FAST).is_file():
        raise BadInput(f"{source} has no {tokenizer.FAST}", cure="add the tokenizer that the model was trained with")
    events.started("copy graph")
    graph = _whole_graph(source / name)
    onnx.save(graph, folder / "model.onnx", save_as_external_data=True, location="model.onnx.data")
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


def _whole_graph(path: Path) -> onnx.ModelProto:
    """The graph with its weights, those in files beside it included. Raises :class:`BadInput`."""
    require_content(path)
    try:
        graph = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's own errors
        raise BadInput(f"{path} is not a whole ONNX file: {one_line(error)}", cure=AGAIN) from error
    if not graph.graph.node:
        raise BadInput(f"{path} is not a whole ONNX file: it holds no graph", cure=AGAIN)
    for tensor in filter(uses_external_data, graph.graph.initializer):
        place = ExternalDataInfo(tensor)
        beside = path.parent / place.location
        if not beside.is_file():
            raise BadInput(
                f"{path} keeps its weights in {place.location}, which is not there", cure="put that file beside it"
            )
        if (place.offset or 0) + (place.length or 0) > beside.stat().st_size:
            raise BadInput(
                f"{beside} has {beside.stat().st_size:,} bytes, and the weights of {path.name} go on beyond that",
                cure=AGAIN,
            )
    try:
        require_whole(path)
        onnx.load_external_data_for_model(graph, str(path.parent))
    except Damaged as error:
        raise BadInput(error.message, cure=AGAIN) from error
    except (onnx.checker.ValidationError, ValueError) as error:
        raise BadInput(f"{path}: its weights cannot be read: {one_line(error)}", cure=AGAIN) from error
    return graph


def _precision(graph: Any) -> str:
    operators = {node.op_type for node in graph.graph.node}
    if operators & _INT4:
        return "int4"
    if operators & _INT8:
        return "int8"
    halves = sum(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in graph.graph.initializer)
    return "fp16" if halves > len(graph.graph.initializer) / 2 else "fp32"

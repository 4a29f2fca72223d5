"""fp16: a graph whose weights, cache and logits are half as wide, and how far it is from its model.

Engines are strongly typed: an operator runs in the type that the graph gives it. So the graph is
rewritten before it is compiled, by onnxruntime's converter, and both graphs are run on the CPU on
the same text: an engine that overflows would otherwise show first on somebody's GPU.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import BadRequest, ExtraMissing, GateMissed
from aictl.core.events import Events

# Angles, softmax and norms keep fp32: fp16 ends at 65504, and a language model squares numbers of
# some hundreds. They are a vanishing part of the work.
KEPT_FP32 = ("Pow", "ReduceMean", "Sqrt", "Reciprocal", "Sin", "Cos", "Range", "Softmax", "Max", "Min")
# A model whose fp16 is healthy stays within about 0.01; one that overflows is off by nearly 1.
MAX_PROBABILITY_DIFFERENCE = 0.05
PROMPT = "The quick brown fox jumps over the lazy dog. To read a file, open it, and close it when you are done."
MAX_PROMPT_TOKENS = 32
NEEDED = ("onnx", "onnxruntime", "tokenizers", "numpy")


def convert(model: OnnxModel, folder: Path, events: Events) -> tuple[Path, dict[str, float]]:
    """Write the fp16 graph into ``folder``; returns its path and how it compares with fp32.

    Raises :class:`ExtraMissing`, :class:`BadRequest` for a model that is quantised already, and
    :class:`GateMissed` if a probability is off by more than :data:`MAX_PROBABILITY_DIFFERENCE`.
    """
    if lacking := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise ExtraMissing(
            f"--precision fp16 rewrites the graph, and {', '.join(lacking)} is not installed",
            cure="pip install 'aictl-tensorrt[fp16]' 'aictl[cpu]', or 'aictl[gpu]' where onnxruntime-gpu belongs",
        )
    precision = model.facts.get("precision", "fp32")
    if precision != "fp32":
        raise BadRequest(
            f"{model.label} is of precision {precision}, and fp16 is made from fp32", cure="leave --precision out"
        )
    import onnx
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    events.started("fp16")
    graph = onnx.load(str(model.model_path))
    graph = convert_float_to_float16(
        graph, op_block_list=[*DEFAULT_OP_BLOCK_LIST, *KEPT_FP32], node_block_list=_inside_norms(graph.graph.node)
    )
    _keep_between(graph.graph)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    (folder / "model.onnx.data").unlink(missing_ok=True)
    onnx.save(graph, str(path), save_as_external_data=True, location="model.onnx.data")
    del graph
    compared = _compare(model, path)
    events.finished("fp16")
    worst = compared["worst_probability_difference"]
    if not worst <= MAX_PROBABILITY_DIFFERENCE:  # so that NaN misses it too
        raise GateMissed(
            f"in fp16 a next-token probability of {model.label} is off by {worst:.3g}, "
            f"and {MAX_PROBABILITY_DIFFERENCE} is allowed",
            cure="leave --precision out",
        )
    return path, compared


def _inside_norms(nodes: Sequence[Any]) -> list[str]:
    """Names of the additions and products that are part of a norm: epsilon onto the mean of
    squares, and the vector times the inverse root."""
    made_by = {name: node.op_type for node in nodes for name in node.output}
    parts = {"Add": "ReduceMean", "Mul": "Reciprocal"}
    return [node.name for node in nodes if parts.get(node.op_type) in {made_by.get(name) for name in node.input}]


def _keep_between(graph: Any) -> None:
    """Let a value pass from one fp32 node to the next as it is.

    The converter rounds the result of every node that keeps fp32 to fp16, and widens it again for
    the next; in between a mean of squares has become infinite.
    """
    import onnx

    made_by = {name: node for node in graph.node for name in node.output}
    passed: dict[str, str] = {}
    for node in graph.node:
        narrowed = made_by.get(node.input[0]) if _casts_to(node, onnx.TensorProto.FLOAT) else None
        if narrowed is not None and _casts_to(narrowed, onnx.TensorProto.FLOAT16):
            source = made_by.get(narrowed.input[0])
            # What was cast to float in the model itself, such as a mask of bools, stays as it is.
            if source is not None and source.op_type in (*KEPT_FP32, "Add", "Mul"):
                passed[node.output[0]] = narrowed.input[0]
    for node in graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = passed.get(name, name)


def _casts_to(node: Any, kind: int) -> bool:
    return node.op_type == "Cast" and node.attribute[0].i == kind


def _compare(model: OnnxModel, half: Path) -> dict[str, float]:
    """Next-token probabilities of both graphs on one prompt: the worst difference, and how often
    the most probable token is the same."""
    import numpy as np
    from tokenizers import Tokenizer

    ids = Tokenizer.from_file(str(model.folder / "tokenizer.json")).encode(PROMPT).ids[:MAX_PROMPT_TOKENS]
    exact, rounded = (_logits(path, ids).astype(np.float64) for path in (model.model_path, half))
    shifted = [logits - logits.max(-1, keepdims=True) for logits in (exact, rounded)]
    p, q = (np.exp(logits) / np.exp(logits).sum(-1, keepdims=True) for logits in shifted)
    return {
        "worst_probability_difference": float(np.abs(p - q).max()),
        "same_first_choice": float((exact.argmax(-1) == rounded.argmax(-1)).mean()),
    }


def _logits(path: Path, ids: list[int]) -> Any:
    """Logits of shape (tokens, vocabulary), by onnxruntime on the CPU, onto an empty cache."""
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    count = len(ids)
    known = {
        "input_ids": np.array([ids], np.int64),
        "attention_mask": np.ones((1, count), np.int64),
        "position_ids": np.arange(count, dtype=np.int64)[None],
    }
    feeds = {}
    for one in session.get_inputs():
        kind = np.float16 if one.type == "tensor(float16)" else np.float32
        # An empty cache: batch 1, the model's own heads and widths, and no position.
        empty = [1 if axis == 0 else extent if isinstance(extent, int) else 0 for axis, extent in enumerate(one.shape)]
        feeds[one.name] = known.get(one.name, np.zeros(empty, kind))
    return session.run(["logits"], feeds)[0][0]

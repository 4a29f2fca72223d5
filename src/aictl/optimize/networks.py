"""Networks other than language models, in whole numbers of 8 bits, by onnxruntime's quantiser, graph by graph.

Weights have a scale for every channel. What flows between layers is measured anew in every run (dynamic: matrices
alone, which is most of a network for texts), or once, on documents of the split train (static: convolutions too; of
networks of one graph, for which a document is all that goes in).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from aictl.artifacts.capability import Capability
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.onnx import OnnxModel, copy_network_files, write_facts
from aictl.artifacts.onnx_weights import require_whole
from aictl.core.errors import BadRequest, Damaged, MachineLacks, WorkFailed, WrongKind
from aictl.core.events import Events, silent
from aictl.judging.documents import draw
from aictl.judging.subject import subject, whole_folder
from aictl.optimize.contestants import network, ready
from aictl.optimize.spec import QuantizeSpec

CAPABILITIES: tuple[Capability, ...] = (
    "text-classification",
    "embedding",
    "reranking",
    "text-to-text",
    "image-classification",
    "object-detection",
    "image-text",
)
_CONVOLVING: tuple[Capability, ...] = ("image-classification", "object-detection")

_METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}
_STATIC = ("MatMul", "Gemm", "Conv")  # what takes the time, and is worth rounding
_DYNAMIC = ("MatMul", "Gather")
_ERRORS_ONLY = 3
_TRIED = 8  # documents on which the harm of rounding one layer is measured
_OF_TEXTS = ("input_ids", "attention_mask", "token_type_ids")
_OF_PICTURES = ("pixel_values", "pixel_mask")


def quantize(
    model: Any, dataset: Dataset, spec: QuantizeSpec, folder: Path, *, scratch: Path, events: Events
) -> dict[str, Any]:
    """Write the rounded graphs of ``model`` and what belongs to them into ``folder``; says how, as metrics.

    Raises :class:`WrongKind` for a model that is no graph, :class:`BadRequest` for int4, for a dataset without anything
    to calibrate on and for what is of one graph alone, :class:`WorkFailed` for a graph in which nothing can be rounded.
    """
    if not isinstance(model, OnnxModel):
        raise WrongKind(
            f"'{model.label}' is a {model.kind}, and of a model for {model.capability} the graph is rounded",
            cure=f"export it first: aictl export onnx {model.label} --name NAME",
        )
    if model.facts["precision"] != "fp32":
        raise BadRequest(
            f"'{model.label}' is {model.facts['precision']} already", cure="round the graph in fp32 of the same model"
        )
    if spec.method != "int8":
        raise BadRequest(f"--method {spec.method} is for language models alone", cure="--method int8")
    how = spec.calibration or ("minmax" if model.capability in _CONVOLVING else "dynamic")
    if len(model.graphs) > 1 and (how != "dynamic" or spec.spare):
        raise BadRequest(
            f"'{model.label}' has {len(model.graphs)} graphs, which are rounded dynamically and whole",
            cure="leave out --calibration and --spare",
        )
    documents = spec.calibration_documents if how != "dynamic" else _TRIED if spec.spare else 0
    inputs = _inputs(model, dataset, documents, scratch) if documents else []
    if how in ("entropy", "percentile"):
        inputs = _of_one_length(inputs)
    rounded, spared = 0, []
    for path in model.graphs.values():
        rounding = _Rounding(_prepared(path, scratch), how, inputs)
        layers = _layers(rounding.source, path.name, how)
        if spec.spare >= len(layers):
            raise BadRequest(
                f"--spare {spec.spare} leaves nothing to round: {path.name} has {len(layers)} layers with weights",
                cure="spare fewer",
            )
        spared = rounding.most_harmful(layers, spec.spare, scratch / "tried.onnx", events) if spec.spare else []
        task = f"round {path.stem} to int8"
        events.started(task)
        rounding.write([layer for layer in layers if layer not in spared], folder / path.name)
        events.finished(task)
        rounded += len(layers) - len(spared)
    copy_network_files(model.folder, folder)
    write_facts(
        folder,
        layout=model.facts["layout"],
        precision="int8",
        opset=model.facts["opset"],
        capability=model.capability,
        signature=model.signature,
        graphs=model.signatures or None,
        **{name: model.facts[name] for name in ("scoring",) if name in model.facts},
    )
    return {"rounding": {"activations": how, "layers": rounded, "spared": spared}}


class _Rounding:
    """What is the same for whichever layers are rounded: the graph, how, and what it is measured on."""

    def __init__(self, source: Path, how: str, inputs: Sequence[Mapping[str, np.ndarray]]) -> None:
        self.source, self._how, self.inputs = source, how, inputs

    def write(self, layers: Sequence[str], path: Path) -> None:
        """Round these layers, by the names of their nodes."""
        with _silent():
            if self._how == "dynamic":
                quantize_dynamic(
                    self.source, path, per_channel=True, weight_type=QuantType.QInt8, nodes_to_quantize=list(layers)
                )
            else:
                quantize_static(
                    self.source,
                    path,
                    _Reader(self.inputs),
                    quant_format=QuantFormat.QDQ,
                    per_channel=True,
                    activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8,
                    op_types_to_quantize=list(_STATIC),  # only what flows into and out of these is measured
                    nodes_to_quantize=list(layers),
                    calibrate_method=_METHODS[self._how],
                )

    def most_harmful(self, layers: Sequence[str], count: int, path: Path, events: Events) -> list[str]:
        """The layers that change what comes out most when they alone are rounded; ``path`` is written and removed."""
        few = self.inputs[:_TRIED]
        reference = _outputs(self.source, few)
        harm: dict[str, float] = {}
        task = "find the layers that rounding harms"
        events.started(task, total=len(layers), unit="layers")
        for layer in layers:
            self.write([layer], path)
            pairs = zip(reference, _outputs(path, few), strict=True)
            harm[layer] = sum(float(np.square(one - other).mean()) for one, other in pairs)
            events.advanced(task, len(harm))
        events.finished(task)
        path.unlink()
        return sorted(layers, key=lambda layer: -harm[layer])[:count]


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hands out inputs one by one, as the quantiser asks for them."""

    def __init__(self, inputs: Sequence[Mapping[str, np.ndarray]]) -> None:
        self._left = iter(inputs)

    def get_next(self) -> Mapping[str, np.ndarray] | None:
        return next(self._left, None)


def _prepared(graph: Path, scratch: Path) -> Path:
    """A graph with what is constant worked out and normalisations taken into the weights before them."""
    require_whole(graph)
    path = scratch / f"prepared-{graph.name}"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    # Without a file of its own it would go on pointing to the model's.
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", path.name + ".data")
    try:
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no public base class of their own
        if "Failed to write" in str(error):
            raise MachineLacks(f"{path} cannot be written", cure="free some space, then run it again") from error
        raise Damaged(f"{graph} cannot be loaded: {str(error).splitlines()[0]}") from error
    return path


def _layers(path: Path, called: str, how: str) -> list[str]:
    """The nodes that hold weights."""
    graph = onnx.load(path, load_external_data=False).graph
    weights = {one.name for one in graph.initializer if len(one.dims) > 1}
    kinds = _DYNAMIC if how == "dynamic" else _STATIC
    found = [node.name for node in graph.node if node.op_type in kinds and weights & set(node.input[:2])]
    if not found:
        raise WorkFailed(
            f"{called} has no {' or '.join(kinds)} with weights, so there is nothing to round"
            + (" dynamically" if how == "dynamic" else ""),
            cure="--calibration minmax" if how == "dynamic" else None,
        )
    return found


def _inputs(model: OnnxModel, dataset: Dataset, most: int, scratch: Path) -> list[dict[str, np.ndarray]]:
    """What the graph is fed for documents of the split train, drawn at random: the first may all be of one class."""
    if "train" not in dataset.splits:
        raise BadRequest(
            f"dataset '{dataset.label}' has no split 'train' to calibrate on",
            cure="name one that has, with --dataset, or --calibration dynamic",
        )
    one = subject(model)
    runner = network(one.ability, whole_folder(one, scratch))
    drawn = draw(dataset, "train", lambda document: True, most=most, seed=0, events=silent)
    names = [tensor.name for tensor in model.header.signature.inputs]
    found = []
    for arrays in ready(runner, list(drawn.documents())):
        given = dict(zip(_OF_TEXTS if "input_ids" in names else _OF_PICTURES, arrays, strict=False))
        given.setdefault("token_type_ids", np.zeros_like(arrays[0]))  # of one text all are 0
        found.append({name: given[name] for name in names})
    return found


def _of_one_length(inputs: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    """Tokens with padding after them, masked out: histograms are only taken of inputs of one shape."""
    width = max(array.shape[1] for one in inputs for array in one.values())
    return [
        {
            name: np.pad(array, [(0, 0), (0, width - array.shape[1])]) if array.ndim == 2 else array
            for name, array in one.items()
        }
        for one in inputs
    ]


def _outputs(path: Path, inputs: Sequence[Mapping[str, np.ndarray]]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return [session.run(None, dict(one))[0] for one in inputs]


@contextmanager
def _silent() -> Iterator[None]:
    """The quantiser prints, and warns on the root logger, of what it can do without."""
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)
    try:
        with redirect_stdout(StringIO()):
            yield
    finally:
        logging.root.setLevel(level)

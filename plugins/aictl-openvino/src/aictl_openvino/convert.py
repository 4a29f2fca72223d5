"""From an onnx artifact to one for OpenVINO: written, read back, and held against onnxruntime.

model.onnx ─▶ openvino_model.xml, .bin ─ read back ─▶ the same on real inputs? ─▶ as fast, in turns?
"""

from __future__ import annotations

from pathlib import Path

from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import BadRequest, WrongKind
from aictl.core.events import Events
from aictl.export.converted import Close, Parent
from aictl_openvino.artifact import OpenVinoModel
from aictl_openvino.graph import Graph, version, write
from aictl_openvino.spec import OpenVinoSpec


def convert(model: OnnxModel, spec: OpenVinoSpec, folder: Path, *, events: Events) -> OpenVinoModel:
    """Write the graphs of ``model`` for OpenVINO into ``folder``, with what belongs to them.

    Raises :class:`WrongKind` for a model for something that is not converted or with weights in whole numbers,
    :class:`BadRequest` for weights wider than the graph's, :class:`Damaged` for files that are not whole,
    :class:`WorkFailed` where OpenVINO has no form for an operator, :class:`GateMissed` if what comes out differs from
    onnxruntime's by more than ``spec.tolerance``, :class:`MachineLacks` for a disk that is full.
    """
    has = model.facts["precision"]
    precision = spec.precision or has
    if has not in ("fp32", "fp16"):
        raise WrongKind(
            f"{model.label} is in {has}, and aictl export openvino takes graphs in fp32 and fp16",
            cure=f"give the export that it was made from, which aictl artifact lineage {model.label} names",
        )
    if has == "fp16" and precision == "fp32":
        raise BadRequest(f"{model.label} is in fp16 already: wider numbers would hold no more", cure="leave it out")
    parent = Parent(model, command="export openvino")
    task = "write it for OpenVINO"
    events.started(task)
    for name, path in model.graphs.items():
        written = folder / OpenVinoModel.files_of(name)[0]
        write(path, parent.signatures[name], written, fp16=precision == "fp16")
    parent.describe(OpenVinoModel, folder, precision=precision, version=version())
    made = OpenVinoModel(folder)
    made.check()
    graphs = {name: Graph(path) for name, path in made.graphs.items()}
    events.finished(task)
    metrics = parent.judge(made, graphs, Close(precision, spec.tolerance), events)
    return OpenVinoModel(
        folder,
        metrics=metrics,
        summary=f"{precision}, {metrics['size_bytes'] / 1e6:.3g} MB, within {metrics['parity']['worst']:.1g} of "
        f"onnxruntime, {metrics['speedup']['ratio']:.2g}x as fast on one thread",
    )

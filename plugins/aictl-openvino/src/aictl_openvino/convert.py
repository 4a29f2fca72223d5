"""From an onnx artifact to one for OpenVINO: written, read back, and held against onnxruntime.

model.onnx ─▶ openvino_model.xml, .bin ─ read back ─▶ the same on real inputs? ─▶ as fast, in turns?
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from aictl.artifacts.onnx import OnnxModel, copy_network_files
from aictl.artifacts.onnx_header import read_header
from aictl.core.errors import BadRequest, WrongKind
from aictl.core.events import Events
from aictl.export.converted import AGAINST, Close, Parent
from aictl.export.parity import Parity
from aictl_openvino.artifact import FACTS, OpenVinoModel, file_of
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
    signatures = {name: read_header(path).signature for name, path in model.graphs.items()}
    for name, path in model.graphs.items():
        write(path, signatures[name], folder / file_of(name), fp16=precision == "fp16")
    copy_network_files(model.folder, folder)
    if model.capability == "text-generation":
        shutil.copyfile(model.folder / "genai_config.json", folder / "genai_config.json")
    facts = {
        "precision": precision,
        "version": version(),
        "capability": model.capability,
        "graphs": {name: one.to_json() for name, one in signatures.items()},
        **{name: model.facts[name] for name in ("scoring",) if name in model.facts},
    }
    (folder / FACTS).write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    made = OpenVinoModel(folder)
    made.check()
    graphs = {name: Graph(path) for name, path in made.graphs.items()}
    events.finished(task)
    parity = Parity(Close(precision, spec.tolerance), AGAINST)
    inputs = parent.compare(graphs, parity, events)
    agreed = parity.require(events)
    times = parent.race(graphs, events)
    size, before = made.weights_bytes, model.weights_bytes
    return OpenVinoModel(
        folder,
        metrics={
            "parity": {**agreed, "inputs": inputs},
            "parameters": model.brief().parameters,
            "size_bytes": size,
            "parent": {"size_bytes": before, **times["parent"]},
            "converted": times["converted"],
            "speedup": times["speedup"],
        },
        summary=f"{precision}, {size / 1e6:.3g} MB, within {agreed['worst']:.1g} of onnxruntime, "
        f"{times['speedup']['ratio']:.2g}x as fast on one thread",
    )

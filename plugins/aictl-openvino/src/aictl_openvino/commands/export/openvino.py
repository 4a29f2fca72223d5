"""Export a model for OpenVINO, checked against onnxruntime.

Takes what `aictl export onnx` made of a language model, a classifier of texts or of pictures, a reranker, a detector,
an embedding model or a dual encoder, in fp32 or fp16. What is written is read back and run beside the graph in
onnxruntime: of a language model with an empty cache, with one that was filled token by token, and in a batch with
padding; of the others each input alone, and all in a batch. Beyond --tolerance nothing is made. Size and speed on one
thread stand in the record beside the graph's. The files have the names that optimum-intel looks for.
"""

from __future__ import annotations

from importlib.util import find_spec

from aictl.artifacts.onnx import OnnxModel
from aictl.core.command import Command, Takes, Work
from aictl.core.errors import ExtraMissing
from aictl.core.loading import loading
from aictl_openvino.artifact import OpenVinoModel
from aictl_openvino.spec import OpenVinoSpec


def run(work: Work[OpenVinoSpec]) -> OpenVinoModel:
    if find_spec("openvino") is None:
        raise ExtraMissing("this needs OpenVINO, and openvino is not installed", cure="pip install 'openvino>=2026.0'")
    with loading():
        from aictl_openvino.convert import convert

    return convert(work.inputs["model"], work.spec, work.folder, events=work.events)


command = Command(
    run=run,
    spec=OpenVinoSpec,
    takes=[Takes("model", (OnnxModel,), help="the exported model")],
    makes=(OpenVinoModel,),
    extra="export",
)

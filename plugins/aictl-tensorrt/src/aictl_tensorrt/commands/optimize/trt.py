"""Compile an exported model into a TensorRT engine, ahead of time.

Takes the standard layout that `aictl export onnx` writes. TensorRT-RTX builds on any machine, for
GeForce and RTX GPUs of the Ampere generation and newer; TensorRT builds on the machine whose GPU
will run the engine. An engine is loaded by the version that built it and by no other, so it is
made again when the builder was upgraded.
"""

from __future__ import annotations

from aictl.artifacts.engine import Engine
from aictl.artifacts.onnx import OnnxModel
from aictl.core.command import Command, Takes, Work
from aictl_tensorrt.spec import TrtSpec


def run(work: Work[TrtSpec]) -> Engine:
    from aictl_tensorrt.compile import compile_engine

    return compile_engine(work.inputs["model"], work.spec, work.folder, scratch=work.scratch, events=work.events)


command = Command(
    run=run,
    spec=TrtSpec,
    takes=[Takes("model", (OnnxModel,), help="the exported model, in the standard layout")],
    makes=(Engine,),
)

"""Bring in a TensorFlow or Keras model as an ONNX graph that agrees with it.

Takes a SavedModel's folder or a .keras file. Both are run on the samples, and every output is compared; where they
differ nothing is kept. Samples are what the model was made for: a .npz with an array for each input, or a .npy where
there is one. Without them random numbers are compared, which is said in the record.

TensorFlow runs in a process of its own, and may live in an environment of its own, whose Python --python names.
Pickles, Keras layers that hold code, and operators that reach for files are refused.

  aictl model tensorflow digits.keras --samples held_out.npz --can image-classification --name digits
"""

from __future__ import annotations

from aictl.artifacts.onnx import OnnxModel
from aictl.core.artifact import Source
from aictl.core.command import Command, Takes, Work
from aictl_tensorflow.spec import TensorflowSpec


def run(work: Work[TensorflowSpec]) -> OnnxModel:
    from aictl_tensorflow.bring import bring

    samples = work.inputs["samples"]
    return bring(work.inputs["source"], samples, work.spec, work.folder, scratch=work.scratch, events=work.events)


command = Command(
    run=run,
    spec=TensorflowSpec,
    takes=[
        Takes("source", (Source,), help="a SavedModel's folder, or a .keras file"),
        Takes("samples", (Source,), help="real inputs to compare on: .npz or .npy", option=True, required=False),
    ],
    makes=(OnnxModel,),
    extra="cpu",
)

"""Quantise a language model to 4 or 8 bits, kept only if it is still good.

Weights are rounded in blocks and operators fused for onnxruntime, from the checkpoint or adapter
that an onnx model was exported from. Size, speed and held-out perplexity of the model and of its
quantised form are measured in one run; past --max-quality-loss nothing is made.
"""

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.onnx import OnnxModel
from aictl.core.command import Command, Takes, Work
from aictl.core.loading import loading
from aictl.optimize.spec import QuantizeSpec


def run(work: Work[QuantizeSpec]) -> OnnxModel:
    with loading():
        from aictl.optimize.quantize import quantize

    return quantize(
        work.inputs["model"],
        work.inputs["dataset"],
        work.spec,
        work.folder,
        scratch=work.scratch,
        events=work.events,
    )


command = Command(
    run=run,
    spec=QuantizeSpec,
    takes=[
        Takes("model", (OnnxModel, Checkpoint, Adapter), help="the model to quantise"),
        Takes(
            "dataset",
            (Dataset,),
            help="held-out text to measure quality on; by default the nearest dataset the model was made from",
            option=True,
            required=False,
        ),
    ],
    makes=(OnnxModel,),
    extra="optimize",
)

"""What every plan is made from: a model, unless numbers describe one, and this machine as benched."""

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.benchmark import Benchmark
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.artifact import Source
from aictl.core.command import Takes

TAKES = (
    Takes("model", (Checkpoint, Adapter, OnnxModel, Source), help="the model, or its config.json", required=False),
    Takes("machine", (Benchmark, Source), help="benchmark of the accelerator 'here'", option=True, required=False),
)

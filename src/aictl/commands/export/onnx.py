"""Export a language model to ONNX, checked against PyTorch.

The graph has only operators of the ONNX standard, takes and gives the key/value cache, and is
stored with the tokenizer and the chat template. An adapter is merged into its checkpoint. The
logits are compared with PyTorch's on real prompts: with an empty cache, with a cache that was
filled token by token, and in a batch with padding on the left. Above --tolerance nothing is made.
"""

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.command import Command, Takes, Work
from aictl.core.loading import loading
from aictl.export.spec import OnnxSpec


def run(work: Work[OnnxSpec]) -> OnnxModel:
    with loading():
        from aictl.export.onnx import export

    return export(work.inputs["model"], work.spec, work.folder, events=work.events)


command = Command(
    run=run,
    spec=OnnxSpec,
    takes=[Takes("model", (Checkpoint, Adapter), help="the checkpoint or adapter to export")],
    makes=(OnnxModel,),
    extra="export",
)

"""Export a model to ONNX, checked against PyTorch.

Taken are language models, classifiers of texts and of pictures, and embedding models. The graph has only
operators of the ONNX standard, and is stored with whatever turns texts or pictures into its input; that of a
language model takes and gives the key/value cache. An adapter is merged into its checkpoint. What comes out is
compared with PyTorch's: of a language model with an empty cache, with a cache that was filled token by token, and
in a batch with padding on the left; of the others each input alone, and all in a batch. Above --tolerance nothing
is made.
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

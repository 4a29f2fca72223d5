"""Export a model to ONNX, checked against PyTorch.

Taken are language models, encoder-decoders, classifiers of texts and of pictures, rerankers, detectors, embedding
models and dual encoders. The graph has only operators of the ONNX standard, and is stored with whatever turns texts
or pictures into its input; that of a language model takes and gives the key/value cache. An encoder-decoder becomes
one graph that reads and one that writes, a dual encoder one for texts and one for pictures. An adapter is merged into
its checkpoint. What comes out is compared with PyTorch's in fp32: of what writes text with an empty cache, with a
cache that was filled token by token, and in a batch with padding; of the others each input alone, and all in a batch.
Beyond --tolerance, or where numbers overflow in fp16, nothing is made. onnxruntime has no kernels for bf16 on a
processor: such a graph is proven by its twin, in which every bf16 is an fp32, and by PyTorch's own pass in bf16, and
runs on a GPU.
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
    revision=2,
)

"""Export a model to onnxruntime's own format, for phones, held against its graph.

Takes what `aictl export onnx` made of a language model, a classifier of texts or of pictures, a reranker, a detector,
an embedding model or a dual encoder, in fp32, and what `aictl optimize quantize` made of one in int8; of a language
model in fp32 alone. Each graph becomes one .ort file, optimised once and for all, which onnxruntime's builds for
Android, iOS and small boards read without an optimiser; beside it stands the list of the operators that such a build
needs. The file is read back and run beside the graph: of a language model with
an empty cache, with one that was filled token by token, and in a batch with padding; of the others each input alone,
and all in a batch. Beyond --tolerance nothing is made.
"""

from aictl.artifacts.mobile import MobileModel
from aictl.artifacts.onnx import OnnxModel
from aictl.core.command import Command, Takes, Work
from aictl.core.loading import loading
from aictl.export.spec import MobileSpec


def run(work: Work[MobileSpec]) -> MobileModel:
    with loading():
        from aictl.export.mobile import export

    return export(work.inputs["model"], work.spec, work.folder, events=work.events)


command = Command(
    run=run,
    spec=MobileSpec,
    takes=[Takes("model", (OnnxModel,), help="the exported model, rounded or not")],
    makes=(MobileModel,),
    extra="export",
)

"""Bring in a pretrained model from a package, the Hugging Face hub or a folder.

Recognised are Hugging Face folders with safetensors (language models; classifiers and rerankers of texts; embedding
models of sentence-transformers; classifiers of pictures; object detectors; T5 and its like; CLIP and its like),
GGUF files (their weights are unpacked once), ONNX language models with a genai_config.json, and LoRA adapters of
peft, on the checkpoint that --checkpoint names. The model has to load and run before it is kept. Pickles are refused,
and no code that comes with a model is ever run.
"""

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.artifact import Source
from aictl.core.command import Command, Takes, Work
from aictl.core.loading import loading
from aictl.model.spec import AddSpec


def run(work: Work[AddSpec]) -> Checkpoint | OnnxModel | Adapter:
    with loading():
        from aictl.model.add import add

    return add(work.inputs["source"], work.spec, work.folder, base=work.inputs["checkpoint"], events=work.events)


command = Command(
    run=run,
    spec=AddSpec,
    takes=[
        Takes(
            "source",
            (Source,),
            help="where the model is: pkg:NAME==VERSION, hf:ORG/NAME, a folder, file or URL",
        ),
        Takes(
            "checkpoint",
            (Checkpoint,),
            help="what an adapter was trained on",
            option=True,
            required=False,
        ),
    ],
    makes=(Checkpoint, OnnxModel, Adapter),
    extra="train",
    revision=2,
)

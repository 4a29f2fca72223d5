"""Export a language model to GGUF, for llama.cpp, checked against PyTorch.

Taken are dense language models of the architectures Llama, Qwen2 and Qwen3 with a byte-level BPE tokenizer; an adapter
is merged into its checkpoint. The file holds weights, tokenizer, special tokens, chat template and rotary positions.
It is read back: its tokenizer must cut texts as the model's does, and its logits on text that comes with this program
must be PyTorch's in fp32. Beyond --tolerance nothing is made. 4 bits are not written, for how good such a model still
is nobody would have measured: llama.cpp's own llama-quantize makes them of an f16 file, and `aictl optimize quantize`
makes them for onnxruntime behind a gate.
"""

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.gguf import Gguf
from aictl.core.command import Command, Takes, Work
from aictl.core.loading import loading
from aictl.export.spec import GgufSpec


def run(work: Work[GgufSpec]) -> Gguf:
    with loading():
        from aictl.export.gguf.writing import export

    return export(work.inputs["model"], work.spec, work.folder, work.scratch, events=work.events)


command = Command(
    run=run,
    spec=GgufSpec,
    takes=[Takes("model", (Checkpoint, Adapter), help="the checkpoint or adapter to export")],
    makes=(Gguf,),
    extra="gguf",
)

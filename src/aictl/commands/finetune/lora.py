"""Fine-tune a chat model on conversations by low-rank changes (LoRA).

Learnt are low-rank changes of the weights, kept apart as an adapter. Conversations are written
with the checkpoint's own chat template, and only the assistant's words
are learnt. The adapter stands on the checkpoint; `aictl export onnx` merges the two. A run that was
interrupted goes on from where it was when the same command is given again.
"""

from collections.abc import Sequence

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.answer import Answer
from aictl.core.command import Command, Takes, Work
from aictl.core.events import Events
from aictl.finetune.spec import LoraSpec
from aictl.training.spec import ParallelSpec


def run(work: Work[LoraSpec]) -> Adapter:
    from aictl.finetune.lora import finetune

    checkpoint, dataset = work.inputs["checkpoint"], work.inputs["dataset"]
    return finetune(checkpoint, dataset, work.spec, work.folder, scratch=work.scratch, events=work.events)


def launch(spec: LoraSpec, words: Sequence[str], events: Events) -> Answer | int | None:
    if spec.cluster.on != "here":
        from aictl.training.clusters.submit import submit

        return submit(spec.cluster, spec.parallel, words)
    if spec.parallel == ParallelSpec():
        return None
    from aictl.training.ranks.launch import launch

    return launch(spec.parallel, words, events)


command = Command(
    run=run,
    launch=launch,
    spec=LoraSpec,
    takes=[
        Takes("checkpoint", (Checkpoint,), help="the chat model to adapt"),
        Takes("dataset", (Dataset,), help="conversations to learn from, as `aictl data prep --format chat` makes them"),
    ],
    makes=(Adapter,),
    extra="finetune",
)

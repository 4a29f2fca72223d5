"""Fine-tune a language model by low-rank changes (LoRA).

Learnt are low-rank changes of the weights, kept apart as an adapter, from conversations, plain text or
pairs of an input and an output. Conversations are written with the checkpoint's own chat template, and
only the assistant's words are learnt. The adapter stands on the checkpoint; `aictl finetune merge` makes
one model of the two. A run that was interrupted goes on from where it was when the same command is given
again.
"""

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.commands.finetune import foresees
from aictl.core.command import Command, Takes, Work
from aictl.core.loading import loading
from aictl.finetune.spec import LoraSpec
from aictl.training.elsewhere import launch


def run(work: Work[LoraSpec]) -> Adapter:
    with loading():
        from aictl.finetune.lora import finetune
        from aictl.hw.memory import usable_bytes

    return finetune(
        work.inputs["checkpoint"],
        work.inputs["dataset"],
        work.spec,
        work.folder,
        usable_bytes=usable_bytes(),
        scratch=work.scratch,
        events=work.events,
    )


command = Command(
    run=run,
    foresees=foresees,
    launch=launch,
    spec=LoraSpec,
    takes=[
        Takes("checkpoint", (Checkpoint,), help="the model to adapt"),
        Takes("dataset", (Dataset,), help="what to learn from, as `aictl data prep --format chat` makes it"),
    ],
    makes=(Adapter,),
    extra="finetune",
    revision=2,
)

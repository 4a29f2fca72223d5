"""Fine-tune every weight of a language model.

Learnt from are conversations, plain text or pairs of an input and an output; of conversations the
assistant's words alone. What is made is a checkpoint of its own, with the tokenizer of the one it came
from. It takes several times the memory of `aictl finetune lora`. A run that was interrupted goes on from
where it was when the same command is given again.
"""

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.commands.finetune import foresees
from aictl.core.command import Command, Takes, Work
from aictl.core.loading import loading
from aictl.finetune.spec import FullSpec
from aictl.training.elsewhere import launch


def run(work: Work[FullSpec]) -> Checkpoint:
    with loading():
        from aictl.finetune.full import finetune
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
    spec=FullSpec,
    takes=[
        Takes("checkpoint", (Checkpoint,), help="the model to tune"),
        Takes("dataset", (Dataset,), help="what to learn from, as `aictl data prep --format chat` makes it"),
    ],
    makes=(Checkpoint,),
    extra="train",
)

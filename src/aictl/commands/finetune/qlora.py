"""Fine-tune by low-rank changes over a base held in 4 or 8 bits (QLoRA).

As `aictl finetune lora`, with the base's matrices quantised in memory: 4-bit normal floats take a quarter
of what they take in bf16, and more time. The adapter that is kept applies to the checkpoint as it is. A run
that was interrupted goes on from where it was when the same command is given again.
"""

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.commands.finetune import foresees
from aictl.core.command import Command, Takes, Work
from aictl.core.loading import loading
from aictl.finetune.spec import QloraSpec
from aictl.training.elsewhere import launch


def run(work: Work[QloraSpec]) -> Adapter:
    with loading():
        from aictl.finetune.qlora import finetune
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
    spec=QloraSpec,
    takes=[
        Takes("checkpoint", (Checkpoint,), help="the model to adapt"),
        Takes("dataset", (Dataset,), help="what to learn from, as `aictl data prep --format chat` makes it"),
    ],
    makes=(Adapter,),
    extra="qlora",
)

"""Teach a chat model which of two answers is the better (DPO).

Each preference has a prompt, a chosen answer and a rejected one. Learnt is to make the chosen one likelier
than the rejected one, measured against the checkpoint itself; there is no reward model. What is made is an
adapter, or with `--method full` a checkpoint. A run that was interrupted goes on from where it was when the
same command is given again.
"""

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.command import Command, Takes, Work
from aictl.core.loading import loading
from aictl.finetune.spec import DpoSpec
from aictl.training.elsewhere import launch


def run(work: Work[DpoSpec]) -> Adapter | Checkpoint:
    with loading():
        from aictl.finetune.dpo import finetune

    checkpoint, dataset = work.inputs["checkpoint"], work.inputs["dataset"]
    return finetune(checkpoint, dataset, work.spec, work.folder, scratch=work.scratch, events=work.events)


command = Command(
    run=run,
    launch=launch,
    spec=DpoSpec,
    takes=[
        Takes("checkpoint", (Checkpoint,), help="the chat model to tune"),
        Takes("dataset", (Dataset,), help="preferences, as `aictl data prep --format preference` makes them"),
    ],
    makes=(Adapter, Checkpoint),
    extra="finetune",
)

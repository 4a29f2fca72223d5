"""Merge an adapter into its checkpoint, which makes a checkpoint of its own.

The low-rank changes are added to the weights in float32, then cast to the checkpoint's own number
format. Before anything is kept, the logits of the merged model are compared with those of the checkpoint
under its adapter, and again after the cast.
"""

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.command import Command, Takes, Work
from aictl.core.loading import loading
from aictl.finetune.spec import MergeSpec


def run(work: Work[MergeSpec]) -> Checkpoint:
    with loading():
        from aictl.finetune.merge import merge

    adapter, base = work.inputs["adapter"], work.inputs["base"]
    return merge(adapter, work.spec, work.folder, base=base, events=work.events)


command = Command(
    run=run,
    spec=MergeSpec,
    takes=[
        Takes("adapter", (Adapter,), help="the adapter to merge"),
        Takes(
            "base",
            (Checkpoint,),
            help="the checkpoint to merge it into, where the one that it was trained on is gone: an equal one",
            option=True,
            required=False,
        ),
    ],
    makes=(Checkpoint,),
    extra="finetune",
)

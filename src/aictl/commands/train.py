"""Train a small decoder-only language model and its tokenizer from scratch.

The dataset's text teaches a byte-level BPE tokenizer first, unless --tokenizer gives one, then a
Llama-style model of the preset's size. What the preset sets can be set apart from it. A run that was
interrupted goes on from where it was when the same command is given again.
"""

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.tokenizer import Tokenizer
from aictl.core.command import Command, Takes, Work
from aictl.train.spec import TrainSpec
from aictl.training.elsewhere import launch


def run(work: Work[TrainSpec]) -> Checkpoint:
    from aictl.train.pretrain import train

    return train(
        work.inputs["dataset"],
        work.spec,
        work.folder,
        tokenizer=work.inputs["tokenizer"],
        scratch=work.scratch,
        events=work.events,
    )


command = Command(
    run=run,
    launch=launch,
    spec=TrainSpec,
    takes=[
        Takes("dataset", (Dataset,), help="text to learn from, as `aictl data prep` makes it"),
        Takes(
            "tokenizer",
            (Tokenizer, Checkpoint),
            help="a tokenizer, or a checkpoint whose tokenizer is meant; by default one is learnt from the dataset",
            option=True,
            required=False,
        ),
    ],
    makes=(Checkpoint,),
    extra="train",
)

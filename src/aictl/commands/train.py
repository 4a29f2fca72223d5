"""Train a model on a dataset, from scratch or from a checkpoint.

What it learns follows from the dataset: a language model from texts, a classifier from texts or pictures
with labels. --task chooses another. A fresh model is of the preset's size, and what the preset sets
can be set apart from it; texts teach it a byte-level BPE tokenizer first, unless --tokenizer gives one.
--from begins with a checkpoint's weights, and puts a new head on them where the task needs one. A run
that was interrupted goes on from where it was when the same command is given again.
"""

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.tokenizer import Tokenizer
from aictl.core.artifact import Source
from aictl.core.command import Command, Takes, Work
from aictl.train.spec import TrainSpec


def run(work: Work[TrainSpec]) -> Checkpoint:
    from aictl.train.train import train

    return train(
        work.inputs["dataset"],
        work.spec,
        work.folder,
        tokenizer=work.inputs["tokenizer"],
        start=work.inputs["from"],
        config=work.inputs["config"],
        scratch=work.scratch,
        events=work.events,
    )


command = Command(
    run=run,
    spec=TrainSpec,
    takes=[
        Takes("dataset", (Dataset,), help="what to learn from, as `aictl data prep` makes it"),
        Takes(
            "from",
            (Checkpoint,),
            help="begin with the weights of this checkpoint, and with its tokenizer",
            option=True,
            required=False,
        ),
        Takes(
            "config",
            (Source,),
            help="the shape of a fresh language model: a config.json of transformers, or a small .toml",
            option=True,
            required=False,
        ),
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

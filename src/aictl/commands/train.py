"""Train a model on a dataset, from scratch or from a checkpoint.

What it learns follows from the dataset: a language model from texts, a classifier from texts or pictures
with labels. --task chooses another. A fresh model is of the preset's size, and what the preset sets
can be set apart from it; texts teach it a byte-level BPE tokenizer first, unless --tokenizer gives one.
--from begins with a checkpoint's weights, and puts a new head on them where the task needs one. A run
that was interrupted goes on from where it was when the same command is given again. With --nproc or under
torchrun several processes train together; --on prints what has a cluster run the same.
"""

from collections.abc import Mapping
from typing import Any

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.tokenizer import Tokenizer
from aictl.core.artifact import Source
from aictl.core.command import Command, Takes, Work
from aictl.core.loading import loading
from aictl.train.spec import TrainSpec
from aictl.training.elsewhere import launch


def run(work: Work[TrainSpec]) -> Checkpoint:
    with loading():
        from aictl.hw.memory import usable_bytes
        from aictl.train.train import train

    return train(
        work.inputs["dataset"],
        work.spec,
        work.folder,
        tokenizer=work.inputs["tokenizer"],
        start=work.inputs["from"],
        config=work.inputs["config"],
        usable_bytes=usable_bytes(),
        scratch=work.scratch,
        events=work.events,
    )


def foresees(spec: TrainSpec, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    with loading():
        from aictl.hw.memory import usable_bytes
        from aictl.train.foresight import foresee

    found = foresee(
        inputs["dataset"],
        spec,
        tokenizer=inputs["tokenizer"],
        start=inputs["from"],
        config=inputs["config"],
        usable_bytes=usable_bytes(),
    )
    return found.document() if found else {}


command = Command(
    run=run,
    foresees=foresees,
    launch=launch,
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
    revision=2,
)

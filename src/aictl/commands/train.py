"""Train a small decoder-only language model and its tokenizer from scratch.

The dataset's text teaches a byte-level BPE tokenizer first, unless --tokenizer gives one, then a
Llama-style model of the preset's size. What the preset sets can be set apart from it. A run that was
interrupted goes on from where it was when the same command is given again. With --nproc or under torchrun several
processes train together; --on prints what has a cluster run the same.
"""

from collections.abc import Sequence

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.tokenizer import Tokenizer
from aictl.core.answer import Answer
from aictl.core.command import Command, Takes, Work
from aictl.core.events import Events
from aictl.train.spec import TrainSpec
from aictl.training.spec import ParallelSpec


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


def launch(spec: TrainSpec, words: Sequence[str], events: Events) -> Answer | int | None:
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

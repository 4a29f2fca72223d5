"""Leave out of a model what does least: weights, heads, neurons or layers.

--method structured cuts heads, feed-forward neurons and layers, so that the matrices and the configuration are
smaller; wanda and magnitude set single weights to zero, and --pattern 2:4 does so in the pattern that
hardware knows. What does least is found out on examples of the dataset's train split. --recover-steps has the
rest learn to make up for it. Quality is measured before and after, on the files; past
--max-quality-loss nothing is made.
"""

from collections.abc import Mapping
from typing import Any

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.command import Command, Takes, Work
from aictl.core.loading import loading
from aictl.optimize.prune.spec import PruneSpec


def run(work: Work[PruneSpec]) -> Checkpoint:
    with loading():
        from aictl.hw.memory import usable_bytes
        from aictl.optimize.prune.prune import prune

    return prune(
        work.inputs["checkpoint"],
        work.inputs["dataset"],
        work.spec,
        work.folder,
        usable_bytes=usable_bytes(),
        scratch=work.scratch,
        events=work.events,
    )


def foresees(spec: PruneSpec, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    with loading():
        from aictl.hw.memory import usable_bytes
        from aictl.optimize.prune.prune import foresee

    found = foresee(inputs["checkpoint"], inputs["dataset"], spec, usable_bytes=usable_bytes())
    return found.document() if found else {}


command = Command(
    run=run,
    foresees=foresees,
    spec=PruneSpec,
    takes=[
        Takes("checkpoint", (Checkpoint,), help="the language model or classifier to prune"),
        Takes(
            "dataset",
            (Dataset,),
            help="what it is measured on, and recovers with; by default the nearest dataset it was made from",
            required=False,
        ),
    ],
    makes=(Checkpoint,),
    extra="train",
)

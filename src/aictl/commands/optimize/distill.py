"""Teach a small model what a large one knows.

The teacher is a language model, a classifier of texts or pictures, an embedding model or a dual encoder. The student is
a checkpoint (--student), layers of the teacher evenly spread (--layers), a fresh network of the teacher's kind and
narrower (--width-fraction), or a fresh language model of a preset's shape (--preset).

It learns what the teacher thinks of each answer (--method logits), how it comes to think so (hidden), or conversations
that the teacher answers (sequence); of an embedding model or a dual encoder, what it finds alike. Both are measured on
held-out documents, on the files, and with --baseline the same student taught without the teacher too. A run that was
interrupted goes on from where it was when the same command is given again.
"""

from collections.abc import Mapping
from typing import Any

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.command import Command, Takes, Work
from aictl.core.loading import loading
from aictl.optimize.distill.spec import DistillSpec


def run(work: Work[DistillSpec]) -> Checkpoint:
    with loading():
        from aictl.hw.memory import usable_bytes
        from aictl.optimize.distill.distill import distill

    return distill(
        work.inputs["teacher"],
        work.inputs["dataset"],
        work.inputs["student"],
        work.spec,
        work.folder,
        usable_bytes=usable_bytes(),
        scratch=work.scratch,
        events=work.events,
    )


def foresees(spec: DistillSpec, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    with loading():
        from aictl.hw.memory import usable_bytes
        from aictl.optimize.distill.distill import foresee

    found = foresee(inputs["teacher"], inputs["dataset"], inputs["student"], spec, usable_bytes=usable_bytes())
    return found.document()


command = Command(
    run=run,
    foresees=foresees,
    spec=DistillSpec,
    takes=[
        Takes("teacher", (Checkpoint,), help="the model that is learnt from"),
        Takes("dataset", (Dataset,), help="what is learnt on, and measured on"),
        Takes("student", (Checkpoint,), help="the checkpoint that learns", option=True, required=False),
    ],
    makes=(Checkpoint,),
    extra="train",
)

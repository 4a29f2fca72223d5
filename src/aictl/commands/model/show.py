"""Show what a model is: its parts, what it reads, its figures, how to use it.

Number formats, layers and vocabulary, tokenizer and chat template, classes, files and their sizes. Read are the
headers of its weights, its configuration and its tokenizer; the weights themselves are not.
`aictl artifact show` says how it came to be.

  aictl model show smollm2

  aictl model show smollm2 --json | jq .parameters.parts
"""

from __future__ import annotations

from aictl.core.answer import Document
from aictl.core.command import Command, Work
from aictl.core.spec import Spec, option


class ShowSpec(Spec):
    """Which model."""

    ref: str = option(positional=True, ref=True, help="the model")


def run(work: Work[ShowSpec]) -> Document:
    from aictl.model.show import show
    from aictl.workspace.models import find_model

    assert work.workspace
    found = find_model(work.workspace, work.spec.ref, work.events)
    return show(found.model, names=found.names, stale=found.stale, path=found.path)


command = Command(run=run, spec=ShowSpec)

"""Say how two datasets differ: documents added, removed, changed or moved.

A document is the same if it says the same and comes from the same source; changed, if it comes from the same
source and says something else; renamed, if it says the same and comes from another source; moved, if it says
the same and stands in another split. Then the options and inputs that differ, and what each step left. Some
20 bytes of memory are taken for each document, and some hundred megabytes beside.

  aictl data diff docs@1 docs@2

  aictl data diff docs@1 docs@2 -n 100 --json | jq .samples.removed
"""

from aictl.artifacts.dataset import Dataset
from aictl.core.answer import Document
from aictl.core.artifact import Source
from aictl.core.command import Command, Takes, Work
from aictl.data.looking.spec import DiffSpec


def run(work: Work[DiffSpec]) -> Document:
    from aictl.data.looking.diff.diff import diff
    from aictl.data.looking.opened import opened

    return diff(opened(work.inputs["before"]), opened(work.inputs["after"]), work.spec, work.events)


command = Command(
    run=run,
    spec=DiffSpec,
    takes=[
        Takes("before", (Dataset, Source), help="a dataset, the folder of one, or a .jsonl file"),
        Takes("after", (Dataset, Source), help="the one that came after it"),
    ],
    extra="data",
    glances=True,
    workspace="optional",
)

"""Find a text in the documents of a dataset; exit status 1 if none has it.

Documents are searched, not the names of their sources. Up to 1,000 places of a text are counted, and three
are shown. In a pipe, and with --json, each document is a line of JSON: its source, its split, how many
places, and what stands around the first of them, with the marks where; with --full the document itself.

  aictl data find docs "lorem ipsum"

  aictl data find docs --regex "[Ee]rror [0-9]+:" --count

  aictl data find docs -i "terms of use" --full > unwanted.jsonl
"""

from aictl.artifacts.dataset import Dataset
from aictl.core.answer import Records, Table
from aictl.core.artifact import Source
from aictl.core.command import Command, Takes, Work
from aictl.data.looking.spec import FindSpec


def run(work: Work[FindSpec]) -> Records | Table:
    from aictl.data.looking.find.find import find
    from aictl.data.looking.opened import opened

    return find(opened(work.inputs["dataset"]), work.spec, work.events)


command = Command(
    run=run,
    spec=FindSpec,
    takes=[Takes("dataset", (Dataset, Source), help="a dataset, the folder of one, or a .jsonl file")],
    extra="data",
    glances=True,
    workspace="optional",
)

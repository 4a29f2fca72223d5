"""Show the first documents of a dataset.

On a terminal each is cut to what the window has room for, unless --full is given. In a pipe, and with
--json, each is a line of JSON as it stands in the dataset.

  aictl data head docs -n 3

  aictl data head docs --split validation | jq .source
"""

from aictl.artifacts.dataset import Dataset
from aictl.core.answer import Records
from aictl.core.artifact import Source
from aictl.core.command import Command, Takes, Work
from aictl.data.looking.spec import HeadSpec


def run(work: Work[HeadSpec]) -> Records:
    from aictl.data.looking.head import head
    from aictl.data.looking.opened import opened

    return head(opened(work.inputs["dataset"]), work.spec)


command = Command(
    run=run,
    spec=HeadSpec,
    takes=[Takes("dataset", (Dataset, Source), help="a dataset, the folder of one, or a .jsonl file")],
    extra="data",
    glances=True,
    workspace="optional",
)

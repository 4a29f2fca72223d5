"""Show documents drawn at random from a dataset, the same ones for a seed.

Each document is as likely as any other, whatever its length. A large dataset is not read for it: only some
places in it are. On a terminal each document is cut to what the window has room for, unless --full is given.
In a pipe, and with --json, each is a line of JSON as it stands in the dataset.

  aictl data sample docs -n 3 --seed 7
"""

from aictl.artifacts.dataset import Dataset
from aictl.core.answer import Records
from aictl.core.artifact import Source
from aictl.core.command import Command, Takes, Work
from aictl.data.looking.spec import SampleSpec


def run(work: Work[SampleSpec]) -> Records:
    from aictl.data.looking.opened import opened
    from aictl.data.looking.sample import sample

    return sample(opened(work.inputs["dataset"]), work.spec)


command = Command(
    run=run,
    spec=SampleSpec,
    takes=[Takes("dataset", (Dataset, Source), help="a dataset, the folder of one, or a .jsonl file")],
    extra="data",
    glances=True,
    workspace="optional",
)

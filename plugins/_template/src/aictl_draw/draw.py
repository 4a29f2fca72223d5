"""Draw documents at random from a dataset's train split.

The validation split is kept whole, so that models trained on either dataset can be compared.
"""

from __future__ import annotations

import random

from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.core.command import Command, Takes, Work
from aictl.core.errors import BadRequest
from aictl.core.spec import Spec, option


class DrawSpec(Spec):
    """How many documents, and which draw of them."""

    count: int = option(100, ge=1, help="how many documents to draw")
    seed: int = option(0, ge=0, help="another seed draws other documents")


def run(work: Work[DrawSpec]) -> Dataset:
    dataset: Dataset = work.inputs["dataset"]
    dataset.require_format("text", "chat", cure="give a dataset of texts or conversations")
    count, total = work.spec.count, dataset.splits["train"]
    if count > total:
        raise BadRequest(f"{dataset.label} has {total} documents to draw from", cure=f"--count {total} or less")
    drawn = set(random.Random(work.spec.seed).sample(range(total), count))
    with DatasetWriter(work.folder, dataset.format) as writer:
        for split in dataset.splits:
            for number, document in enumerate(dataset.documents(split)):
                if split != "train" or number in drawn:
                    writer.add(split, document)
    return Dataset(work.folder, metrics={"documents": count}, summary=f"{count} of {total} documents")


command = Command(
    run=run,
    spec=DrawSpec,
    takes=[Takes("dataset", (Dataset,), help="the dataset to draw from")],
    makes=(Dataset,),
)

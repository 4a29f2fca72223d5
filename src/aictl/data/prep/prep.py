"""Raw files to a dataset.

    sources ─ intake ▶ files ─ divide ▶ streams ─ route, many at once ▶ chunks on the shelf
       ─ sift, over all of them ▶ which stay, on which side ─ write ▶ dataset

A stream is read, cleaned and filtered by one worker; what can only be said once everything has been seen
comes after. What is on the shelf outlives a kill.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple

from aictl.artifacts.dataset import Dataset, Format
from aictl.core.artifact import Source
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.data.documents import InputFile
from aictl.data.prep.account import Account
from aictl.data.prep.block import FIELDS, text_of
from aictl.data.prep.intake import decide_format, list_files
from aictl.data.prep.route import Job
from aictl.data.prep.running import run
from aictl.data.prep.shelf import Shelf
from aictl.data.prep.sift import sift
from aictl.data.prep.spec import PrepSpec
from aictl.data.prep.streams import Stream, divide
from aictl.data.prep.write import write
from aictl.data.steps.contamination import Evaluation


class Inputs(NamedTuple):
    """What a dataset is made of: ``sources`` in order, the datasets ``against`` which duplicates are sought too,
    and ``evaluation`` sets of which nothing may be in it."""

    sources: Sequence[Source | Dataset]
    against: Sequence[Dataset] = ()
    evaluation: Sequence[Dataset] = ()


def prepare(inputs: Inputs, spec: PrepSpec, folder: Path, *, scratch: Path, events: Events) -> Dataset:
    """Make a dataset of raw sources and other datasets, in the order in which they are given.

    Raises :class:`BadInput` if there is nothing to read, nothing is left, too much of it cannot be
    read (``max_rejected``, or anything at all with ``strict``), or it is too small to split.
    """
    weights = spec.split.weights
    if weights and len(weights) != len(inputs.sources):
        raise BadRequest(
            f"--weights has {len(weights)} values, and there are {len(inputs.sources)} sources",
            cure="give one for each, in their order",
        )
    sources = [(number, one) for number, one in enumerate(inputs.sources) if isinstance(one, Source)]
    files = list_files(sources, spec.files)
    format = _format([file for _, file in files], inputs, spec)
    streams = _streams(inputs, files, format)
    shelf = Shelf(scratch / "chunks")
    run(streams, Job(format, spec, _evaluation(inputs.evaluation, spec)), shelf, events)
    others = sum(stream.reference for stream in streams)
    references = list(shelf.all(range(others)))
    chunks = list(shelf.all(range(others, len(streams))))
    account = Account(chunks, [file for _, file in files], format, spec)
    account.require_good()
    task = "compare"
    events.started(task)
    sifted = sift(references, chunks, spec, FIELDS[format])
    events.finished(task)
    counts = write(folder, format, (references, chunks), sifted, account.tally)
    for note in account.notes():
        events.noted(note, "warning" if account.rejected else "info")
    if spec.split_at is not None and sifted.apart > spec.split_at:
        events.noted(
            f"nearly all documents are {spec.split_at:.0%} alike, so both sides of the split have such: what is held "
            "out says little of other texts",
            "warning",
        )
    characters = next(reversed(account.tally.steps.values())).characters_out
    metrics = {**account.metrics(), "characters": characters, "splits": counts, "split_similarity": sifted.apart}
    splits = ", ".join(f"{count:,} {name}" for name, count in metrics["splits"].items())
    what = "conversations" if format == "chat" else "documents"
    return Dataset(folder, metrics=metrics, summary=f"{splits} {what}, {metrics['characters']:,} characters")


def _format(files: Sequence[InputFile], inputs: Inputs, spec: PrepSpec) -> Format:
    datasets = [one for one in inputs.sources if isinstance(one, Dataset)]
    format: Format = datasets[0].format if datasets and spec.format == "auto" else decide_format(files, spec)
    for dataset in (*datasets, *inputs.against):
        dataset.require_format(format, cure="prepare datasets of one format together")
    return format


def _streams(inputs: Inputs, files: Sequence[tuple[int, InputFile]], format: Format) -> list[Stream]:
    """Everything that is read, in the order in which it was given, after what it is compared with."""
    found = [Stream(0, dataset=Dataset(one.folder), reference=True) for one in inputs.against]
    for datasets, group in groupby(enumerate(inputs.sources), lambda pair: isinstance(pair[1], Dataset)):
        together = list(group)
        if datasets:
            found += [
                Stream(0, sources=(number,), dataset=Dataset(one.folder))
                for number, one in together
                if isinstance(one, Dataset)
            ]
        else:
            numbers = {number for number, _ in together}
            found += divide([pair for pair in files if pair[0] in numbers], format)
    return [stream._replace(number=number) for number, stream in enumerate(found)]


def _evaluation(datasets: Sequence[Dataset], spec: PrepSpec) -> Evaluation | None:
    sets = [(one.label, _blocks(one)) for one in datasets]
    return Evaluation.of(sets, spec.duplicates.contamination_words) if sets else None


def _blocks(dataset: Dataset) -> Iterator[list[str]]:
    field = FIELDS[dataset.format]
    documents = (text_of(one[field]) for split in dataset.splits for one in dataset.documents(split))
    while block := list(islice(documents, 256)):
        yield block

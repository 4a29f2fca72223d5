"""Raw files to a dataset.

    sources ─ intake ▶ files ─ divide ▶ streams ─ route, many at once ▶ chunks on the shelf
       ─ sift, over all of them ▶ which stay, on which side ─ write ▶ dataset (─ pack ▶ its tokens)

A stream is read, cleaned and filtered by one worker; what can only be said once everything has been seen
comes after. What is on the shelf outlives a kill.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import TOKENS, Dataset, Format
from aictl.artifacts.tokenizer import Tokenizer
from aictl.core import extras
from aictl.core.artifact import Source
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.data.documents import InputFile
from aictl.data.prep.account import Account
from aictl.data.prep.classes import Labels, declared
from aictl.data.prep.fitting import spec_for, without_second_halves
from aictl.data.prep.intake import CALLED, decide_format, list_files
from aictl.data.prep.rows import said_in
from aictl.data.prep.running import run
from aictl.data.prep.shelf import Shelf
from aictl.data.prep.sift import Sifted, sift
from aictl.data.prep.spec import PrepSpec
from aictl.data.prep.steps import Job, steps_of
from aictl.data.prep.streams import Stream, divide
from aictl.data.prep.write import write
from aictl.data.steps.contamination import Evaluation

if TYPE_CHECKING:
    from aictl.data.prep.annotated import Annotated


class Inputs(NamedTuple):
    """What a dataset is made of: ``sources`` in order, the datasets ``against`` which duplicates are sought too,
    ``evaluation`` sets of which nothing may be in it, lists of ``blocked_words`` and ``blocked_urls``, which no
    document may hold, and the ``tokenizer`` by which it is packed, if it is."""

    sources: Sequence[Source | Dataset]
    against: Sequence[Dataset] = ()
    evaluation: Sequence[Dataset] = ()
    blocked_words: Sequence[Source] = ()
    blocked_urls: Sequence[Source] = ()
    tokenizer: Tokenizer | Checkpoint | None = None


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
    about_text = ("decontaminate", "block_words", "block_urls", "tokenizer")
    spec = spec_for(spec, format, dict(zip(about_text, inputs[2:], strict=True)))
    if inputs.tokenizer and format != "text":
        raise BadRequest(
            f"{CALLED[format]} are not packed: how they are rendered is for the model to say",
            cure="leave out --tokenizer",
        )
    files = without_second_halves(files, format, spec)
    said: Annotated | None = None
    if format == "image":
        from aictl.data.prep.annotated import annotated  # which no other format needs

        said = annotated(files, spec.reading)
        files = said.files
    streams = _streams(inputs, files, format)
    shelf = Shelf(scratch / "chunks")
    job = Job(
        format,
        spec,
        evaluation=_evaluation(inputs.evaluation, spec),
        blocked_words=_entries(inputs.blocked_words),
        blocked_urls=_entries(inputs.blocked_urls),
    )
    steps_of(job)  # which says what is wrong with the job before anything is read
    run(streams, job, shelf, events)
    others = sum(stream.reference for stream in streams)
    references = list(shelf.all(range(others)))
    chunks = list(shelf.all(range(others, len(streams))))
    account = Account(chunks, [file for _, file in files], format, spec)
    account.require_good()
    task = "compare"
    events.started(task)
    sifted = sift(references, chunks, spec, format)
    events.finished(task)
    counts = write(folder, format, (references, chunks), sifted, account.tally)
    known = _known_labels(files, inputs, spec, said, format)
    labels = None if known is None else _labels(sifted, known, Dataset(folder), said, events)
    for note in account.notes():
        events.noted(note, "warning" if account.rejected else "info")
    if spec.split_at is not None and sifted.apart > spec.split_at:
        events.noted(
            f"nearly all documents are {spec.split_at:.0%} alike, so both sides of the split have such: what is held "
            "out says little of other texts",
            "warning",
        )
    size = next(reversed(account.tally.steps.values())).characters_out
    if labels and format == "image":
        metrics = {**account.metrics(), **labels.metrics(), "image_bytes": size, "splits": counts}
        splits = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        of_labels = f"{len(labels.names):,} labels, " if labels.names or not (said and said.is_there) else ""
        return Dataset(folder, metrics=metrics, summary=f"{splits} pictures, {of_labels}{size / 1e6:,.1f} MB")
    metrics = {**account.metrics(), "characters": size, "splits": counts, "split_similarity": sifted.apart}
    if labels:
        metrics |= labels.metrics()
    if inputs.tokenizer:
        metrics["tokens"] = _packed(Dataset(folder), inputs.tokenizer, scratch, events)
    splits = ", ".join(f"{count:,} {name}" for name, count in metrics["splits"].items())
    what = "documents" if format == "text" else CALLED[format]
    classes = f", {len(labels.names):,} labels" if labels else ""
    return Dataset(folder, metrics=metrics, summary=f"{splits} {what}{classes}, {metrics['characters']:,} characters")


def _known_labels(
    files: Sequence[tuple[int, InputFile]], inputs: Inputs, spec: PrepSpec, said: Annotated | None, format: Format
) -> list[str] | None:
    """The labels whose order is known, for pictures and for texts with labels; None for anything else."""
    if format != "image" and not (format == "text" and spec.reading.has_labels):
        return None
    named: list[Sequence[str]] = [one.classes for one in inputs.sources if isinstance(one, Dataset)]
    named += [said.classes] if said else []
    return declared(files, named, spec.reading, format)


def _labels(sifted: Sifted, known: Sequence[str], dataset: Dataset, said: Annotated | None, events: Events) -> Labels:
    """Write the labels of a dataset beside its documents, and tell what is wrong with them."""
    labels = Labels(sifted, known, pictures=dataset.format == "image")
    boxed = labels.add_boxes(dataset)
    labels.write(dataset.folder)
    for note in labels.notes(are_wanted=not boxed and not (said and said.is_there)):
        events.noted(note, "warning")
    if said and said.left_out:
        events.noted(f"left out {said.left_out:,} pictures that no annotation names")
    return labels


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


def _packed(dataset: Dataset, tokenizer: Tokenizer | Checkpoint, scratch: Path, events: Events) -> dict[str, int]:
    """Pack the documents of all splits into the dataset; returns the tokens of each."""
    extras.require("tokenizing")
    from aictl.tokenizing.encoder import Encoder
    from aictl.tokenizing.folder import TokenizerFolder
    from aictl.tokenizing.packing import pack

    texts = {split: partial(_texts, dataset, split) for split in dataset.splits}
    encoder = Encoder(TokenizerFolder(tokenizer.folder), events)
    packed = pack(texts, encoder, scratch / TOKENS, events=events, documents=dataset.splits)
    (scratch / TOKENS).rename(dataset.folder / TOKENS)
    return {split: counts.tokens for split, counts in packed.splits.items()}


def _texts(dataset: Dataset, split: str) -> Iterator[str]:
    return (document["text"] for document in dataset.documents(split))


def _entries(lists: Sequence[Source]) -> tuple[str, ...]:
    """The entries of block lists."""
    if not lists:
        return ()
    from aictl.data.steps.blocklist import read_list

    return tuple(entry for one in lists for entry in read_list(one.path))


def _blocks(dataset: Dataset) -> Iterator[list[str]]:
    documents = (said_in(one, dataset.format) for split in dataset.splits for one in dataset.documents(split))
    while block := list(islice(documents, 256)):
        yield block

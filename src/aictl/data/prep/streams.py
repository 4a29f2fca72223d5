"""What is read from one end to the other by one worker: some files, or a part of a large one.

How the files are divided depends on the files alone, so that a run with other workers, or one that goes on
after a kill, reads the same streams.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import IO, NamedTuple

from aictl.artifacts.dataset import Dataset, Format
from aictl.core.errors import Damaged
from aictl.data.decode import BROKEN, SNIFF_BYTES, encoding_of
from aictl.data.documents import (
    Document,
    HoldsNoDocuments,
    Image,
    InputFile,
    Items,
    Part,
    Reading,
    Rejected,
    Unreadable,
)
from aictl.data.prep.rows import content_of
from aictl.data.readers import parts_of, reader_for

STREAM_BYTES = 64 * 2**20
MOST_FILES = 4096  # of a stream: opening them takes as long as reading does
_SPLIT_SUFFIXES = (".jsonl", ".ndjson")
_BLOCK_BYTES = 8 * 2**20


class Stream(NamedTuple):
    """``files`` in order, from one source or several, or a ``dataset`` that was made before. ``sources`` holds
    for each file the number of the source that it is from. A ``reference`` is only there to be compared with."""

    number: int
    files: tuple[InputFile, ...] = ()
    sources: tuple[int, ...] = ()
    dataset: Dataset | None = None
    reference: bool = False

    @property
    def size_bytes(self) -> int:
        if self.dataset:
            return sum(path.stat().st_size for split in self.dataset.splits for path in self.dataset.files(split))
        return sum(file.part.size_bytes if file.part else file.size_bytes for file in self.files)


class Began(NamedTuple):
    """A file is being read; it is from this source."""

    file: InputFile
    source: int


class LeftOut(NamedTuple):
    """A file holds nothing of the format."""

    file: InputFile


Found = Began | LeftOut | Document | Rejected


def divide(files: Sequence[tuple[int, InputFile]], format: Format) -> list[Stream]:
    """Streams of all files, each with the number of its source, in order."""
    streams: list[Stream] = []
    held: list[tuple[int, InputFile]] = []
    held_bytes = 0

    def close() -> None:
        nonlocal held_bytes
        if held:
            numbers, together = zip(*held, strict=True)
            streams.append(Stream(len(streams), together, numbers))
        held.clear()
        held_bytes = 0

    for source, file in files:
        parts = _parts(file) if file.size_bytes > STREAM_BYTES else [file]
        for part in parts:
            size_bytes = part.part.size_bytes if part.part else part.size_bytes
            if held and (held_bytes + size_bytes > STREAM_BYTES or len(held) >= MOST_FILES):
                close()
            held.append((source, part))
            held_bytes += size_bytes
    close()
    return streams


def _parts(file: InputFile) -> list[InputFile]:
    """A file of lines in parts that begin and end with a line, one of row groups in parts of whole ones; any other as
    it is, and so is what lies in a store: all of it would have to be fetched to find where its parts end."""
    if file.compression or file.lost or file.opens:
        return [file]
    if file.suffix == ".parquet":
        return [replace(file, part=part) for part in parts_of(file, STREAM_BYTES)] or [file]
    if file.suffix not in _SPLIT_SUFFIXES:
        return [file]
    parts: list[InputFile] = []
    try:
        with file.path.open("rb") as stream:
            if encoding_of(stream.read(SNIFF_BYTES)) != "utf-8":
                return [file]
            begin, line = 0, 1
            while begin < file.size_bytes:
                stream.seek(begin)
                end, lines = _whole_lines(stream, begin)
                parts.append(replace(file, part=Part(begin, end, line)))
                begin, line = end, line + lines
    except (Unreadable, *BROKEN):
        return [file]  # its reader says why
    return parts


def _whole_lines(stream: IO[bytes], begin: int) -> tuple[int, int]:
    """Where lines of some ``STREAM_BYTES`` from ``begin`` on end, and how many they are."""
    end, lines = begin, 0
    while block := stream.read(_BLOCK_BYTES):
        if end - begin + len(block) >= STREAM_BYTES:
            last = block.find(b"\n", max(0, STREAM_BYTES - (end - begin) - 1))
            if last >= 0:
                return end + last + 1, lines + block.count(b"\n", 0, last + 1)
        end += len(block)
        lines += block.count(b"\n")
    return end, lines


def read(stream: Stream, format: Format, reading: Reading) -> Iterator[Found]:
    """Everything in a stream, in order."""
    if stream.dataset:
        yield from _documents(stream.dataset, reading)
        return
    for file, source in zip(stream.files, stream.sources, strict=True):
        yield from _read(file, source, format, reading)


def _read(file: InputFile, source: int, format: Format, reading: Reading) -> Iterator[Found]:
    reader = reader_for(file, format, reading)
    if reader is None:
        yield LeftOut(file)
        return
    told = False  # that it began: of a file that holds something else it is never said
    try:
        for item in reader(file, reading):
            if not told:
                told = True
                yield Began(file, source)
            if reading.label_folders and isinstance(item, Document) and not isinstance(item.content, Image):
                yield replace(item, label=file.folder)
            else:
                yield item
    except Unreadable as error:
        if not told:
            yield Began(file, source)
        yield error.rejected(file)
    except HoldsNoDocuments:
        yield LeftOut(file)


def _documents(dataset: Dataset, reading: Reading) -> Items:
    for split in dataset.splits:
        if dataset.format == "image":
            yield from _pictures(dataset, split)
            continue
        for document in dataset.documents(split):
            label = document.get(reading.label_field or "label") if reading.has_labels else None
            url, content = document.get("url", ""), content_of(document, dataset.format)
            yield Document(document["source"], content, url, label if isinstance(label, str) else "")


def _pictures(dataset: Dataset, split: str) -> Items:
    for one, data in dataset.pictures(split):
        try:
            pixels, looks = bytes.fromhex(one["pixels"]), bytes.fromhex(one["looks"])
            suffix = one["image"].rpartition(".")[2]
            known = (one["width"], one["height"], one["mode"], pixels, looks, one["label"], one.get("caption"))
            boxes = [(box["label"], box["box"]) for box in one["boxes"]] if "boxes" in one else None
            image = Image(data, suffix, *known, boxes)
        except (KeyError, ValueError, TypeError) as error:
            raise Damaged(f"{dataset.folder}: a line of '{split}' says too little of its picture: {error}") from error
        yield Document(one["source"], image, one.get("url", ""))

"""What came out of the streams, kept on disk chunk by chunk until the dataset is written.

A chunk is some tens of megabytes of a stream's documents: their lines as they will stand in the dataset, arrays with
a row for each of them, and a JSON file about them, which is written last: a chunk without one is none. A run that
goes on after a kill finds the chunks that are there and reads on behind them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import orjson

T = TypeVar("T")
_BUFFER_BYTES = 2**20


class Facts(NamedTuple):
    """About a chunk: the stream it is of and its place in it; how many of the stream's items it has taken from the
    reader, whether it is the last, and how many documents it holds; the tally, what was rejected as ``[source,
    reason, why]``, and which files were read and left out."""

    stream: int
    number: int
    items: int
    last: bool
    documents: int
    tally: Mapping[str, Any]
    rejected: Sequence[Sequence[str]]
    files: int
    left_out: Sequence[Sequence[Any]]


class Begun(NamedTuple):
    """How many chunks of a stream are there, how many items they have taken, and whether that is all."""

    chunks: int = 0
    items: int = 0
    done: bool = False


class Filled(NamedTuple):
    """A chunk that is to be kept: about it, the lines of its documents, their columns, and the files of its pictures,
    if it is of such."""

    facts: Facts
    lines: Sequence[bytes]
    columns: Mapping[str, np.ndarray]
    images: Sequence[bytes] = ()


class Chunk:
    """A chunk on the shelf."""

    def __init__(self, path: Path) -> None:
        """``path`` is that of its JSON file."""
        self.path = path
        self.facts = Facts(**json.loads(path.read_bytes()))

    def __len__(self) -> int:
        return self.facts.documents

    @cached_property
    def _columns(self) -> Any:
        return np.load(self.path.with_suffix(".npz"))

    def column(self, name: str) -> np.ndarray:
        """One of its arrays, read anew at each call."""
        column: np.ndarray = self._columns[name]
        return column

    @cached_property
    def _lines(self) -> np.ndarray:
        return np.memmap(self.path.with_suffix(".lines"), np.uint8, "r") if len(self) else np.empty(0, np.uint8)

    @cached_property
    def _ends(self) -> np.ndarray:
        return self.column("ends")

    def line(self, place: int) -> bytes:
        """One document as a line of JSON, with its line break."""
        begin = int(self._ends[place - 1]) if place else 0
        return self._lines[begin : int(self._ends[place])].tobytes()

    def image(self, place: int) -> bytes:
        """The file of one picture."""
        begin = int(self._image_ends[place - 1]) if place else 0
        size = int(self._image_ends[place]) - begin
        with self.path.with_suffix(".images").open("rb") as file:
            return os.pread(file.fileno(), size, begin)

    @cached_property
    def _image_ends(self) -> np.ndarray:
        return self.column("image_ends")

    def lines(self, stretches: Iterable[tuple[int, int, T]]) -> Iterator[tuple[bytes, list[int], T]]:
        """The documents of some stretches, from a first one to before a last, as lines; where each ends in these; and
        what came with the stretch. Read in pieces, since a page that is mapped costs more than one that is copied."""
        with self.path.with_suffix(".lines").open("rb", buffering=0) as file:
            for first, last, mark in stretches:
                place = first
                while place < last:
                    begin = int(self._ends[place - 1]) if place else 0
                    until = max(place + 1, int(np.searchsorted(self._ends, begin + _BUFFER_BYTES, side="right")))
                    ends = self._ends[place : min(until, last)] - begin
                    file.seek(begin)
                    yield file.read(int(ends[-1])), ends.tolist(), mark
                    place += len(ends)

    def document(self, place: int) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.line(place))
        return found


class Documents:
    """The documents of some chunks by their number over all of them."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._chunks = [chunk for chunk in chunks if len(chunk)]
        self._ends = np.cumsum([len(chunk) for chunk in self._chunks])

    def __getitem__(self, number: int) -> dict[str, Any]:
        place = int(np.searchsorted(self._ends, number, side="right"))
        chunk = self._chunks[place]
        return chunk.document(number - int(self._ends[place]) + len(chunk))


class Shelf:
    """The chunks below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def put(self, chunk: Filled) -> None:
        """Keep a chunk; ``ends``, where each line ends, is added to its columns, and so is ``image_ends``."""
        facts, lines, columns, images = chunk
        path = self._path(facts.stream, facts.number)
        ends = np.cumsum(np.fromiter(map(len, lines), np.int64, len(lines)))
        _write(path.with_suffix(".lines"), lines)
        if images:
            columns = {**columns, "image_ends": np.cumsum(np.fromiter(map(len, images), np.int64, len(images)))}
            _write(path.with_suffix(".images"), images)
        partial = path.with_suffix(f".{os.getpid()}")
        with partial.open("wb") as file:
            np.savez(file, ends=ends, **columns)  # type: ignore[arg-type]
        partial.replace(path.with_suffix(".npz"))
        _write(path, [json.dumps(facts._asdict(), ensure_ascii=False).encode("utf-8", "surrogatepass")])

    def begun(self, stream: int) -> Begun:
        """How far a stream has come."""
        there = self.chunks(stream)
        return Begun(len(there), sum(chunk.facts.items for chunk in there), bool(there) and there[-1].facts.last)

    def chunks(self, stream: int) -> list[Chunk]:
        """The chunks of a stream that are there, without a gap."""
        found: list[Chunk] = []
        while (path := self._path(stream, len(found))).exists():
            found.append(Chunk(path))
        return found

    def all(self, streams: Iterable[int]) -> Iterator[Chunk]:
        """The chunks of some streams, in order."""
        for stream in streams:
            yield from self.chunks(stream)

    def _path(self, stream: int, number: int) -> Path:
        return self.folder / f"{stream:07d}-{number:05d}.json"


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    with partial.open("wb", _BUFFER_BYTES) as file:
        file.writelines(pieces)
    partial.replace(path)

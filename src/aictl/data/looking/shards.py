"""A dataset's shards as blocks of whole lines, and the lines as documents, checked as they are read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import AictlError, BadInput, BadRequest, Damaged, WrongKind
from aictl.data.looking.opened import Lines

BLOCK_BYTES = 2**20  # large enough for a call to cost nothing, small enough to stay in a processor's cache
Record = dict[str, Any]


class Block(NamedTuple):
    """Whole lines of a shard, each with its line break: ``data`` begins at the byte ``begin``."""

    path: Path
    begin: int
    data: bytes


def require_looked_at(dataset: Dataset, command: str, *, pictures: bool = False) -> None:
    """Raise :class:`WrongKind` for a dataset of a format that is not known, and of pictures unless a command is of
    ``pictures`` too."""
    if dataset.format not in _IS_GOOD or (dataset.format == "image" and not pictures):
        names = [name for name in _IS_GOOD if pictures or name != "image"]
        known = f"{', '.join(names[:-1])} and {names[-1]}"
        raise WrongKind(
            f"dataset '{dataset.label}' is of format {dataset.format}, and `aictl {command}` looks at {known}",
            cure=f"`aictl artifact show {dataset.label}` says what is known of it",
        )


def require_split(dataset: Dataset, split: str) -> None:
    """Raise :class:`BadRequest` for a split that the dataset does not have."""
    if split not in dataset.splits:
        there = ", ".join(dataset.splits)
        raise BadRequest(
            f"dataset '{dataset.label}' has no split '{split}'",
            cure=f"it has {there}" if there else "it holds no documents at all",
        )


def size_bytes(dataset: Dataset) -> int:
    """Bytes of all shards."""
    return sum(path.stat().st_size for split in dataset.splits for path in dataset.shards(split))


def blocks(path: Path, size: int = BLOCK_BYTES, begin: int = 0, end: int | None = None) -> Iterator[Block]:
    """A shard from its beginning to its end, some ``size`` bytes at a time; a longer line is one block. With ``begin``
    and ``end``, the lines that begin at or after the one byte and before the other."""
    with path.open("rb", buffering=0) as file:
        begin = _line_begin(file, begin)
        waiting: list[bytes] = []  # the beginning of a line whose end has not been read
        while (end is None or begin < end) and (chunk := file.read(size)):
            cut = chunk.rfind(b"\n") + 1
            if not cut:
                waiting.append(chunk)
                continue
            data = b"".join([*waiting, chunk[:cut]])
            waiting = [chunk[cut:]] if cut < len(chunk) else []
            if end is not None and begin + len(data) > end:
                cut = data.find(b"\n", end - 1 - begin) + 1  # where the last line that begins before the end ends
                if 0 < cut < len(data):
                    yield Block(path, begin, data[:cut])
                    return
            yield Block(path, begin, data)
            begin += len(data)
        if waiting and (end is None or begin < end):
            yield Block(path, begin, b"".join(waiting) + b"\n")


def _line_begin(file: IO[bytes], place: int) -> int:
    """The first place from one on where a line begins, or the end; the file is read from there."""
    if not place:
        return 0
    place -= 1  # the byte before: a line begins here if it is a line break
    file.seek(place)
    while chunk := file.read(BLOCK_BYTES):
        found = chunk.find(b"\n") + 1
        if found:
            return file.seek(place + found)
        place += len(chunk)
    return place


def records(block: Block, format: str) -> list[Record]:
    """The documents of a block in order. Raises what :func:`record` raises, with the place of the first line that is
    none."""
    lines = block.data.split(b"\n")
    lines.pop()
    try:
        found = list(map(orjson.loads, lines))
        if all(map(_IS_GOOD[format], found)):
            return found
    except orjson.JSONDecodeError:
        pass
    return list(one_by_one(block, format))


def one_by_one(block: Block, format: str) -> Iterator[Record]:
    """The same, slower, but with the documents that stand before a line that is none."""
    begin = 0
    while begin < len(block.data):
        end = block.data.index(b"\n", begin)
        line = block.data[begin:end]
        if line.strip() or _is_of_dataset(block.path):
            yield record(line, format, block.path, block.begin + begin)
        begin = end + 1


def record(line: bytes, format: str, path: Path, begin: int) -> Record:
    """The document of a line that begins at a byte of a shard. One that does not say where it is from gets its place as
    ``source``: ``FILE#BYTE``. Raises :class:`Damaged` for a line of a dataset that is no document, and
    :class:`BadInput` for one of another file."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise _refused(path, f"{path}, line {_number(path, begin)}, column {error.colno}: {error.msg}") from None
    if isinstance(found, dict) and not isinstance(found.get("source"), str):
        found["source"] = f"{path.name}#{begin}"
    if not _IS_GOOD[format](found):
        raise _refused(path, f"{path}, line {_number(path, begin)}: no document of a {format} dataset")
    return found


def _is_of_dataset(path: Path) -> bool:
    """Whether a file is a shard, which was written by nobody but us, and no file of somebody else's."""
    return path.with_name("dataset.json").exists()


def _refused(path: Path, said: str) -> AictlError:
    if _is_of_dataset(path):
        return Damaged(said)
    return BadInput(said, cure=f"`aictl data prep {path} --name NAME` sets aside what cannot be read")


def _number(path: Path, begin: int) -> int:
    """The number of the line that begins at a byte."""
    with path.open("rb") as file:
        before, left = 1, begin
        while left and (chunk := file.read(min(left, BLOCK_BYTES))):
            before += chunk.count(b"\n")
            left -= len(chunk)
    return before


def require_count(dataset: Dataset, split: str, found: int) -> None:
    """Raise :class:`Damaged` unless so many documents are what a split should hold."""
    if not isinstance(dataset, Lines) and found != dataset.splits[split]:
        wanted = dataset.splits[split]
        raise Damaged(f"{dataset.folder}: split '{split}' should hold {wanted:,} documents and has {found:,}")


def _is_text(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("text"), str) and isinstance(value.get("source"), str)


def _is_chat(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("source"), str) and _is_turns(value.get("messages"))


def _is_pair(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in ("input", "output", "source"))


def _is_preference(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("source"), str)
        and all(_is_turns(value.get(name)) for name in ("prompt", "chosen", "rejected"))
    )


def _is_turns(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(turn, dict) and isinstance(turn.get("role"), str) and isinstance(turn.get("content"), str)
        for turn in value
    )


def _is_picture(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("source"), str)
        and isinstance(value.get("image"), str)
        and isinstance(value.get("size_bytes"), int)
    )


_IS_GOOD = {
    "text": _is_text,
    "chat": _is_chat,
    "image": _is_picture,
    "pair": _is_pair,
    "preference": _is_preference,
}

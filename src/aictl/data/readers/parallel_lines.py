"""Parallel files of lines: what a line of one says, the line of the same number says in the other.

So are corpora of translations published (https://opus.nlpl.eu): ``news.en-es.en`` and ``news.en-es.es``. The two sides
are named by the ends of their files; who reads the first reads the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from typing import IO

from aictl.data.decode import BROKEN, broken, open_bytes
from aictl.data.documents import Document, InputFile, Items, Pair, Reading, Rejected, Unreadable

MAX_LINE_BYTES = 2**20
_PACKED = ("", ".gz", ".zst")


def is_input(name: str, reading: Reading) -> bool:
    """Whether a file is called as one whose lines are what is given."""
    return reading.input_field is not None and reading.output_field is not None and _ends(name, reading.input_field)


def _ends(name: str, field: str) -> bool:
    return any(name.rpartition("/")[2].removesuffix(packed).endswith(f".{field}") for packed in _PACKED)


def output_names(name: str, reading: Reading) -> list[str]:
    """What the file that goes with one of what is given may be called: packed as it is, or otherwise."""
    packed = next(end for end in _PACKED if name.endswith(f".{reading.input_field}{end}"))
    stem = name.removesuffix(f"{reading.input_field}{packed}")
    return [f"{stem}{reading.output_field}{end}" for end in dict.fromkeys((packed, *_PACKED))]


def read(file: InputFile, reading: Reading) -> Items:
    """Yield the pair of each two lines of which one is not blank. Raises :class:`Unreadable` where there is no other
    file, or where it has not as many lines: then nobody can tell which belong together."""
    beside = _beside(file, reading)
    try:
        own, other = _line_count(file), _line_count(beside)
        if own != other:
            raise Unreadable("not parallel", f"it has {own:,} lines, and {beside.name} {other:,}")
        with ExitStack() as stack:
            both = [_lines(stack.enter_context(open_bytes(one))) for one in (file, beside)]
            for number, one, another in zip(count(1), *both, strict=False):
                if one.strip() or another.strip():
                    yield _pair(f"{file.name}:{number}", one, another)
    except BROKEN as error:  # what was read before it stands
        yield broken(error).rejected(file)


def _pair(source: str, one: bytes, other: bytes) -> Document | Rejected:
    if len(one) > MAX_LINE_BYTES or len(other) > MAX_LINE_BYTES:
        return Rejected(source, "line too long", f"more than {MAX_LINE_BYTES // 2**20} MiB")
    try:
        sides = [line.decode("utf-8-sig").strip() for line in (one, other)]
    except UnicodeDecodeError as error:
        return Rejected(source, "not UTF-8", f"byte 0x{error.object[error.start]:02x}: {error.reason}")
    if not all(sides):
        return Rejected(source, "empty side", "one of the two lines is blank")
    return Document(source, Pair(*sides))


def _beside(file: InputFile, reading: Reading) -> InputFile:
    name = file.name.rpartition("/")[2]
    if file.lost:
        raise Unreadable("cannot be read", file.lost)
    if file.opens:
        raise Unreadable("no file beside it", "parallel files are read from a disk only: fetch both first")
    # by the path's name, which has none of the numbers that tell sources apart
    there = [path for one in output_names(file.path.name, reading) if (path := file.path.with_name(one)).is_file()]
    if not there:
        raise Unreadable("no file beside it", f"there is no {output_names(name, reading)[0]}")
    return replace(file, name=there[0].name, path=there[0], size_bytes=there[0].stat().st_size)


def _line_count(file: InputFile) -> int:
    found, last = 0, b"\n"
    with open_bytes(file) as stream:
        while block := stream.read(2**20):
            found, last = found + block.count(b"\n"), block[-1:]
    return found + (last != b"\n")


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines without their ends, of longer ones than ``MAX_LINE_BYTES`` a little more than that."""
    while line := stream.readline(MAX_LINE_BYTES + 2):
        rest = line
        while len(rest) == MAX_LINE_BYTES + 2 and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE_BYTES + 2)
        yield line.rstrip(b"\r\n")

"""The idx files of MNIST: many pictures of one size in one file, and their labels in another beside it.

A header of big-endian numbers, then bytes: http://yann.lecun.com/exdb/mnist/ . This is run apart, see
:mod:`aictl.data.readers.apart`.
"""

from __future__ import annotations

import io
import re
import struct
from dataclasses import replace
from typing import IO

from PIL import Image as Pillow

from aictl.data.decode import BROKEN, broken, open_bytes
from aictl.data.documents import Document, InputFile, Items, Reading, Rejected, Unreadable
from aictl.data.readers.idx_names import labels_name
from aictl.data.readers.pictures import facts

_IMAGES, _LABELS = 0x803, 0x801  # of unsigned bytes, in three dimensions and in one
_READ_BYTES = 2**20


def read(file: InputFile, reading: Reading) -> Items:
    """Yield every picture as PNG, with its label: a digit, as a rule. Raises :class:`Unreadable` for a file that does
    not hold what its header says, or has no labels beside it."""
    try:
        with open_bytes(file) as images:
            count, height, width = _header(images, _IMAGES, 3)
            if not 0 < width * height <= reading.max_pixels:
                raise Unreadable("too many pixels", f"{width:,} x {height:,}; --max-pixels is {reading.max_pixels:,}")
            labels = _labels(file, count)
            for number, label in enumerate(labels, 1):
                data = images.read(width * height)
                if len(data) < width * height:
                    lost = f"pictures {number:,} to {count:,} are not there"
                    yield Rejected(f"{file.name}:{number}", "truncated", lost)
                    return
                image = Pillow.frombytes("L", (width, height), data)
                png = io.BytesIO()
                image.save(png, "PNG")
                found = facts(image, png.getvalue(), "png")
                yield Document(f"{file.name}:{number}", replace(found, label=str(label)))
    except BROKEN as error:  # what was read before it stands
        yield broken(error).rejected(file)


def _header(stream: IO[bytes], magic: int, dimensions: int) -> tuple[int, ...]:
    head = stream.read(4 * (1 + dimensions))
    if len(head) < 4 * (1 + dimensions):
        raise Unreadable("broken idx", "its header is not all there")
    found, *sizes = struct.unpack(f">{1 + dimensions}I", head)
    if found != magic:
        raise Unreadable("broken idx", f"it begins with 0x{found:08x}, and not 0x{magic:08x}")
    return tuple(sizes)


def _labels(file: InputFile, count: int) -> bytes:
    """One byte for each of ``count`` pictures."""
    name = labels_name(file.name.rpartition("/")[2])
    plain = re.sub(r"\.gz$", "", name)
    there = [path for one in (name, plain, f"{plain}.gz") if (path := file.path.with_name(one)).is_file()]
    if not there:
        raise Unreadable("no labels", f"there is no {name} beside it")
    beside = InputFile(there[0].name, there[0], there[0].stat().st_size)
    try:
        with open_bytes(beside) as stream:
            (said,) = _header(stream, _LABELS, 1)
            if said != count:
                raise Unreadable("broken idx", f"it holds {count:,} pictures, and {there[0].name} {said:,} labels")
            labels = _read(stream, count)
    except BROKEN as error:
        raise Unreadable("broken idx", f"{there[0].name}: {broken(error)}") from error
    if len(labels) < count:
        raise Unreadable("broken idx", f"{there[0].name} ends after {len(labels):,} of {count:,} labels")
    return labels


def _read(stream: IO[bytes], count: int) -> bytes:
    """At most ``count`` bytes, as they come: a header says any number."""
    found = bytearray()
    while len(found) < count and (data := stream.read(min(_READ_BYTES, count - len(found)))):
        found += data
    return bytes(found)

"""What a GGUF file says of itself, read without gguf and without its weights.

Format (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): ``GGUF``, the version, how many tensors and how
many pairs of metadata; the pairs, each a key, the type of its value, and the value; of each tensor its name, extents,
number format and place; then, from the next multiple of the alignment on, the tensors' bytes. Everything is
little-endian.
"""

from __future__ import annotations

import mmap
import struct
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from aictl.core.errors import Damaged

MAGIC, VERSIONS = b"GGUF", (2, 3)
# The number formats that are written here: values in a block, and the bytes that it takes
# (https://github.com/ggml-org/ggml/blob/master/include/ggml.h, enum ggml_type).
BLOCKS = {"F32": (1, 4), "F16": (1, 2), "BF16": (1, 2), "Q8_0": (32, 34)}
_FORMATS = {0: "F32", 1: "F16", 8: "Q8_0", 30: "BF16"}
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_USUAL_ALIGNMENT = 32
_MOST_EXTENTS = 4  # GGML_MAX_DIMS


class Tensor(NamedTuple):
    """``shape`` is as numpy has it, the rows first; ``offset`` counts in bytes from the first tensor's."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def size_bytes(self) -> int:
        """Raises ``KeyError`` for a number format that is not written here."""
        values, size = BLOCKS[self.dtype]
        return prod(self.shape) // values * size


class Header(NamedTuple):
    """``metadata`` has every pair by its key, of a list the number of its values alone. ``start`` is where the tensors'
    bytes begin, and ``end`` how many bytes the file needs."""

    metadata: dict[str, Any]
    tensors: tuple[Tensor, ...]
    start: int
    end: int


class _Bytes:
    """A file's bytes, taken one after the other."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data, self.at = data, 0

    def take(self, form: str) -> Any:
        (value,) = struct.unpack_from("<" + form, self._data, self.at)
        self.at += struct.calcsize("<" + form)
        return value

    def skip(self, count: int) -> int:
        """Raises ``ValueError`` where there are not so many bytes."""
        start = self.at
        if count > len(self._data) - start:
            raise ValueError(f"it ends before byte {start + count:,}")
        self.at += count
        return start

    def text(self) -> str:
        start = self.skip(self.take("Q"))
        return self._data[start : self.at].decode("utf-8")

    def value(self, kind: int) -> Any:
        """A value, or of a list how many there are."""
        if kind in _SCALARS:
            return self.take(_SCALARS[kind])
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            raise ValueError(f"it has metadata of a type that is not known: {kind}")
        inner, count = self.take("I"), self.take("Q")
        if inner in _SCALARS:
            self.skip(count * struct.calcsize("<" + _SCALARS[inner]))
        elif inner == _STRING:
            for _ in range(count):
                self.skip(self.take("Q"))
        else:
            raise ValueError(f"it has a list of a type that is not known: {inner}")
        return count


def read_header(path: Path) -> Header:
    """Raises :class:`Damaged` for a file that is cut short, is no GGUF, or has weights in a format that is not written
    here."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            header = _header(_Bytes(mapped))
            size = len(mapped)
    except (OSError, ValueError, KeyError, struct.error) as error:
        raise Damaged(f"{path} is not a whole GGUF file: {error}") from error
    if size != header.end:
        raise Damaged(f"{path} has {size:,} bytes and its header promises {header.end:,}")
    return header


def _header(data: _Bytes) -> Header:
    if data.take("4s") != MAGIC:
        raise ValueError("it does not begin with GGUF")
    if (version := data.take("I")) not in VERSIONS:
        raise ValueError(f"it is of version {version}")
    tensors, pairs = data.take("Q"), data.take("Q")
    metadata = {}
    for _ in range(pairs):
        key = data.text()
        metadata[key] = data.value(data.take("I"))
    found = tuple(_tensor(data) for _ in range(tensors))
    alignment = metadata.get("general.alignment", _USUAL_ALIGNMENT)
    if not isinstance(alignment, int) or alignment < 1:
        raise ValueError(f"its tensors are aligned to {alignment!r} bytes")
    end = start = _padded(data.at, alignment)
    for tensor in found:
        if start + tensor.offset != end:
            raise ValueError(f"'{tensor.name}' does not begin where the tensor before it ends")
        end = _padded(end + tensor.size_bytes, alignment)
    return Header(metadata, found, start, end)


def _tensor(data: _Bytes) -> Tensor:
    name, extents = data.text(), data.take("I")
    if extents > _MOST_EXTENTS:
        raise ValueError(f"'{name}' has {extents} extents")
    shape = tuple(data.take("Q") for _ in range(extents))[::-1]
    kind, offset = data.take("I"), data.take("Q")
    if kind not in _FORMATS:
        raise ValueError(f"'{name}' is of a number format that is not known: {kind}")
    if shape and shape[-1] % BLOCKS[_FORMATS[kind]][0]:
        raise ValueError(f"'{name}' has rows of {shape[-1]} values, which are no whole blocks")
    return Tensor(name, _FORMATS[kind], shape, offset)


def _padded(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment

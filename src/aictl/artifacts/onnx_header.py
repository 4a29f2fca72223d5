"""What an ONNX file says of its graph and of where its weights lie, read without onnx and without its weights.

The file is one protobuf message (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), which may hold
gigabytes of weights between the few fields that are wanted here. protobuf's own reader takes all of them into
memory; this one maps the file and steps over them. Wire format:
https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import mmap
from collections import Counter
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from typing import NamedTuple

from aictl.artifacts.signature import Signature, Tensor
from aictl.core.errors import Damaged

# onnx.TensorProto.DataType, as numpy calls them where it knows them.
_TYPES = {1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool"}
_TYPES |= {10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16", 17: "float8_e4m3fn"}
_TYPES |= {18: "float8_e4m3fnuz", 19: "float8_e5m2", 20: "float8_e5m2fnuz", 21: "uint4", 22: "int4", 23: "float4_e2m1"}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FLOATS = ("float", "bfloat")
_MOST_DEEP = 20  # graphs within nodes of graphs: loops and branches of loops and branches


class Outside(NamedTuple):
    """A weight that lies in another file: its name, that file's as it stands in the graph, and where in it, in bytes;
    ``length`` is None where it goes on to the end."""

    name: str
    location: str
    offset: int
    length: int | None


class Header(NamedTuple):
    """``values`` counts what the initialisers hold by number format, ``operators`` the nodes by operator; ``outside``
    are the weights that lie in other files."""

    signature: Signature
    opset: int
    values: dict[str, int]
    operators: dict[str, int]
    outside: tuple[Outside, ...] = ()

    @property
    def weights(self) -> int:
        """Values in a floating format: the weights, unless they were rounded to whole numbers."""
        return sum(count for kind, count in self.values.items() if kind.startswith(_FLOATS))


class _Span(NamedTuple):
    """A message or string inside the file."""

    data: memoryview
    start: int
    end: int

    def text(self) -> str:
        return bytes(self.data[self.start : self.end]).decode("utf-8", "replace")


def read_header(path: Path) -> Header:
    """Raises :class:`Damaged` for a file that is cut short or is no ONNX model."""
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as view,
        ):
            return _model(_Span(view, 0, len(view)))
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise Damaged(f"{path} is not a whole ONNX file: {error}") from error


def joined(headers: Sequence[Header]) -> Header:
    """Several graphs as one that takes and gives what they all do."""
    inputs, outputs = (tuple(one for each in headers for one in each.signature[side]) for side in (0, 1))
    values, operators = (Counter[str](), Counter[str]())
    for one in headers:
        values.update(one.values)
        operators.update(one.operators)
    return Header(
        Signature(tuple(dict.fromkeys(inputs)), outputs),
        max((one.opset for one in headers), default=0),
        dict(values.most_common()),
        dict(operators.most_common()),
        tuple(one for each in headers for one in each.outside),
    )


def _model(model: _Span) -> Header:
    opset, graph = 0, None
    outside: list[Outside] = []
    for number, value in _fields(model):
        if number == 7:
            graph = _message(value)
        elif number == 25:
            outside += _of_nodes([one for field, one in _fields(_message(value)) if field == 7])
        elif number == 8:
            inner = dict(_fields(_message(value)))
            domain = _message(inner[1]).text() if 1 in inner else ""
            if domain in ("", "ai.onnx"):
                opset = _number(inner.get(2, 0))
    if graph is None:
        raise ValueError("it holds no graph")
    sides: dict[int, list[Tensor]] = {11: [], 12: []}
    values: Counter[str] = Counter()
    operators: Counter[str] = Counter()
    initialised = set()
    for number, value in _fields(graph):
        if number == 1:
            operators[next((_message(one).text() for field, one in _fields(_message(value)) if field == 4), "")] += 1
        elif number == 5:
            name, kind, count = _initialiser(_message(value))
            initialised.add(name)
            values[kind] += count
        elif number in sides:
            sides[number].append(_tensor(_message(value)))
    inputs = tuple(one for one in sides[11] if one.name not in initialised)
    signature = Signature(inputs, tuple(sides[12]))
    outside += _outside(graph)
    return Header(signature, opset, dict(values.most_common()), dict(operators.most_common()), tuple(outside))


def _outside(graph: _Span, depth: int = 0) -> list[Outside]:
    """The weights of a graph that lie in other files, those of graphs within its nodes included."""
    if depth > _MOST_DEEP:
        raise ValueError(f"graphs lie within graphs more than {_MOST_DEEP} deep")
    found: list[Outside] = []
    for number, value in _fields(graph):
        if number == 5:
            found += _external(_message(value))
        elif number == 15:
            found += _of_sparse(_message(value))
    return found + _of_nodes([one for number, one in _fields(graph) if number == 1], depth)


def _of_nodes(nodes: Sequence[int | _Span], depth: int = 0) -> list[Outside]:
    """What lies outside of the attributes of nodes: tensors, sparse tensors and graphs, one or several."""
    found: list[Outside] = []
    attributes = (one for node in nodes for number, one in _fields(_message(node)) if number == 5)
    for number, value in (each for one in attributes for each in _fields(_message(one))):
        if number in (5, 10):
            found += _external(_message(value))
        elif number in (22, 23):
            found += _of_sparse(_message(value))
        elif number in (6, 11):
            found += _outside(_message(value), depth + 1)
    return found


def _of_sparse(tensor: _Span) -> list[Outside]:
    return [each for number, one in _fields(tensor) if number in (1, 2) for each in _external(_message(one))]


def _external(tensor: _Span) -> list[Outside]:
    """Where a TensorProto lies, if not in the graph: keys and values that are both text."""
    name, is_outside, stated = "", False, dict[str, str]()
    for number, value in _fields(tensor):
        if number == 8:
            name = _message(value).text()
        elif number == 13:
            entry = {field: _message(one).text() for field, one in _fields(_message(value))}
            stated[entry.get(1, "")] = entry.get(2, "")
        elif number == 14:
            is_outside = _number(value) == 1
    if not is_outside:
        return []
    length = stated.get("length")
    place = int(stated.get("offset") or 0), int(length) if length else None
    if min(place[0], place[1] or 0) < 0:
        raise ValueError(f"the weight {name} lies at {place[0]} with a length of {length}")
    return [Outside(name, stated.get("location", ""), *place)]


def _initialiser(tensor: _Span) -> tuple[str, str, int]:
    """Name, number format and how many values."""
    name, kind, extents = "", 0, []
    for number, value in _fields(tensor):
        if number == 1:
            extents += _numbers(value)
        elif number == 2:
            kind = _number(value)
        elif number == 8:
            name = _message(value).text()
    return name, _TYPES.get(kind, str(kind)), prod(extents)


def _tensor(info: _Span) -> Tensor:
    """A graph's input or output: ValueInfoProto, its TypeProto, and the Tensor inside."""
    fields = dict(_fields(info))
    name = _message(fields[1]).text() if 1 in fields else ""
    kinds = dict(_fields(_message(fields[2]))) if 2 in fields else {}
    inner = dict(_fields(_message(kinds[1]))) if 1 in kinds else {}
    shape: list[int | str] = []
    for _, one in _fields(_message(inner[2])) if 2 in inner else ():
        extent = dict(_fields(_message(one)))
        shape.append(_number(extent[1]) if 1 in extent else _message(extent[2]).text() if 2 in extent else "")
    kind = _number(inner.get(1, 0))
    return Tensor(name, _TYPES.get(kind, str(kind)), tuple(shape))


def _fields(message: _Span) -> Iterator[tuple[int, int | _Span]]:
    """Field numbers with their values: whole numbers, and spans for what has a length."""
    at = message.start
    while at < message.end:
        tag, at = _varint(message.data, at)
        number, wire = tag >> 3, tag & 7
        value: int | _Span
        if wire == _VARINT:
            value, at = _varint(message.data, at)
        elif wire == _BYTES:
            length, at = _varint(message.data, at)
            value, at = _Span(message.data, at, at + length), at + length
        elif wire in (_FIXED64, _FIXED32):
            width = 8 if wire == _FIXED64 else 4
            value, at = int.from_bytes(message.data[at : at + width], "little"), at + width
        else:
            raise ValueError(f"no field begins with {tag}")
        if at > message.end:
            raise ValueError(f"it ends inside of field {number}")
        yield number, value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("a number goes on for more than 64 bits")


def _numbers(value: int | _Span) -> list[int]:
    """A repeated number, one at a time or packed."""
    if isinstance(value, int):
        return [value]
    found, at = [], value.start
    while at < value.end:
        one, at = _varint(value.data, at)
        found.append(one)
    return found


def _number(value: int | _Span) -> int:
    if not isinstance(value, int):
        raise ValueError("text stands where a number should")
    return value


def _message(value: int | _Span) -> _Span:
    if not isinstance(value, _Span):
        raise ValueError("a number stands where a message should")
    return value

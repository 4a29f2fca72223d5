"""The weights of an ONNX graph that lie beside it: whether they are there, whole, and nowhere else.

A graph names the file of such weights by a path. onnxruntime follows it, so a graph that was edited could have it read
any file of the machine. Here it has to be a plain file in the graph's own folder or below.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from aictl.artifacts.onnx_header import Header, read_header
from aictl.core.errors import Damaged


def require_whole(path: Path) -> Header:
    """What the graph's file says of itself.

    Raises :class:`Damaged` for a file that is no whole graph, and for weights that are missing, cut short, or outside
    of the graph's folder.
    """
    header = read_header(path)
    sizes: dict[str, int] = {}
    for one in header.outside:
        if one.location not in sizes:
            sizes[one.location] = _size(path, one.location)
        end = one.offset + (one.length or 0)
        if end > sizes[one.location]:
            raise Damaged(
                f"{path.parent / one.location} has {sizes[one.location]:,} bytes, and the weight {one.name} of "
                f"{path.name} ends at {end:,}"
            )
    return header


def _size(path: Path, location: str) -> int:
    """Bytes in the file that a graph names."""
    steps = PurePosixPath(location)
    beyond = f"{path} keeps weights in '{location}', which is outside of its folder"
    if not location or "\\" in location or "\0" in location or steps.is_absolute() or ".." in steps.parts:
        raise Damaged(beyond)
    beside = path.parent / steps
    if any((path.parent / step).is_symlink() for step in (steps, *steps.parents)[:-1]):
        raise Damaged(f"{path} keeps weights in '{location}', which is a link and may lead out of its folder")
    try:
        found = beside.stat()
    except OSError as error:
        raise Damaged(f"{path} keeps weights in '{location}', which is not there") from error
    if not beside.is_file():
        raise Damaged(f"{path} keeps weights in '{location}', which is no file")
    return found.st_size

"""The pictures of a dataset: beside every shard of lines a tar archive, with the file of each line's picture in order.

A member's header is 512 bytes, and its file is filled up to as many times 512 (POSIX.1-1988, ustar), so that the
``size_bytes`` in the lines tell where each picture begins: no index is needed to take one out. Any tar unpacks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from aictl.core.errors import Damaged

BLOCK_BYTES = 512
END = bytes(2 * BLOCK_BYTES)
SUFFIX = ".tar"


class Place(NamedTuple):
    """Where the file of a picture lies in an archive."""

    begin: int
    size_bytes: int


def member(name: str, data: bytes) -> bytes:
    """A file as it stands in an archive; the same for the same file, whenever and by whomever it is written."""
    import tarfile  # here, since every command opens datasets and few write pictures

    header = tarfile.TarInfo(name)
    header.size = len(data)
    return header.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % BLOCK_BYTES)


def archive_of(shard: Path) -> Path:
    """The archive with the pictures of a shard of lines."""
    return shard.with_suffix(SUFFIX)


def places(documents: Iterable[Mapping[str, Any]]) -> Iterator[Place]:
    """Where the pictures of a shard's documents lie, all of them in order. Raises ``KeyError`` or ``TypeError`` for
    what is no document with a picture."""
    begin = 0
    for one in documents:
        size = one["size_bytes"]
        yield Place(begin + BLOCK_BYTES, size)
        begin += BLOCK_BYTES + size + -size % BLOCK_BYTES


def pictures(shard: Path, documents: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], bytes]]:
    """Every document of a shard with the file of its picture. Raises :class:`Damaged` where they do not go together."""
    archive = archive_of(shard)
    try:
        with archive.open("rb") as file:
            for number, one in enumerate(documents, 1):
                size = one["size_bytes"]
                header, data = file.read(BLOCK_BYTES), file.read(size)
                file.seek(-size % BLOCK_BYTES, 1)
                if header[:100].rstrip(b"\0") != one["image"].encode() or len(data) < size:
                    raise Damaged(f"{archive}: picture {number} is not that of line {number} in {shard.name}")
                yield one, data
    except (OSError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(f"{archive}: {error or type(error).__name__}") from error

"""Documents drawn at random from a split, each as likely as any other.

A small split is read from one end to the other. Of a large one only places are: a byte is drawn at random, and the
line around it is taken with a probability of ``SHORTEST / length``, which makes up for a long line having more bytes
to be hit. The number that decides is drawn first, so that no more of a line is read than would still be taken. The
drawing costs about ``mean length / SHORTEST`` reads of a few bytes for each document, whatever the size of the split.
"""

from __future__ import annotations

import os
import random
from bisect import bisect_right
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from aictl.artifacts.dataset import Dataset
from aictl.core.answer import Item, Records
from aictl.data.looking.opened import Lines
from aictl.data.looking.shards import blocks, record, require_count, require_looked_at, require_split
from aictl.data.looking.showing import item
from aictl.data.looking.spec import SampleSpec

READ_THROUGH_BYTES = 256 * 2**20  # below this, reading all takes no longer than a few hundred reads here and there
SHORTEST = len(b'{"text":"","source":""}\n')  # bytes of a line
FIRST_REACH = 2**12  # bytes on both sides of a place where the ends of its line are looked for at first
ESTIMATED_FROM_BYTES = 2**22
READ_COST_BYTES = 2**17  # what could be read in a row in the time of one read at another place


class Line(NamedTuple):
    """A line by the number of its shard, and where it begins and ends there."""

    shard: int
    begin: int
    end: int


def sample(dataset: Dataset, spec: SampleSpec) -> Records:
    """So many documents in the order in which they stand, or all if there are fewer; the same for the same seed.

    Raises :class:`BadRequest` for a split that is not there, and :class:`Damaged`, while they are read, at a line
    that is no document.
    """
    require_looked_at(dataset, "data sample", pictures=True)
    require_split(dataset, spec.split)
    return Records(_items(dataset, spec), whole=spec.full)


def _items(dataset: Dataset, spec: SampleSpec) -> Generator[Item, None, int]:
    shards = dataset.shards(spec.split)
    sizes = [path.stat().st_size for path in shards]
    draw = random.Random(spec.seed)
    count = about_so_many(dataset.path) if isinstance(dataset, Lines) else dataset.splits[spec.split]
    if is_read_through(sizes, count, spec.count):
        count = dataset.lines[0] if isinstance(dataset, Lines) else count
        lines = _numbered(dataset, spec.split, sorted(draw.sample(range(count), min(spec.count, count))))
    else:
        lines = iter(sorted(drawn_lines(shards, spec.count, draw)))
    for line in lines:
        path = shards[line.shard]
        with path.open("rb") as file:
            file.seek(line.begin)
            data = file.read(line.end - line.begin)
        if data.strip():  # a blank line of a file that no dataset holds
            yield item(record(data, dataset.format, path, line.begin))
    return 0


def about_so_many(path: Path) -> int:
    """How many lines a file has, as far as its beginning tells."""
    with path.open("rb") as file:
        beginning = file.read(ESTIMATED_FROM_BYTES)
        return beginning.count(b"\n") * path.stat().st_size // max(1, len(beginning)) + 1


def is_read_through(sizes: Sequence[int], count: int, documents: int) -> bool:
    """Whether to read all of a split, of shards of so many bytes, to draw from its documents."""
    total = sum(sizes)
    reads = documents * total / max(1, count) / SHORTEST
    return total <= READ_THROUGH_BYTES or documents * 2 > count or reads * READ_COST_BYTES > total


def _numbered(dataset: Dataset, split: str, numbers: Sequence[int]) -> Iterator[Line]:
    """The lines of these numbers, which are in order."""
    wanted = iter(numbers)
    next_one = next(wanted, None)
    base = 0
    for shard, path in enumerate(dataset.shards(split)):
        for block in blocks(path):
            found = block.data.count(b"\n")
            begin, at = 0, base
            while next_one is not None and next_one < base + found:
                while at < next_one:
                    begin, at = block.data.index(b"\n", begin) + 1, at + 1
                yield Line(shard, block.begin + begin, block.begin + block.data.index(b"\n", begin))
                next_one = next(wanted, None)
            base += found
    require_count(dataset, split, base)


def drawn_lines(shards: Sequence[Path], count: int, draw: random.Random) -> set[Line]:
    """Different lines of some shards, drawn at random without reading what is between them."""
    ends = list(accumulate(path.stat().st_size for path in shards))
    found: set[Line] = set()
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("rb", buffering=0)).fileno() for path in shards]
        while len(found) < count:
            place = draw.randrange(ends[-1])
            longest = int(SHORTEST / (1 - draw.random()))
            shard = bisect_right(ends, place)
            at = place - (ends[shard - 1] if shard else 0)
            if span := _line_around(files[shard], at, longest):
                found.add(Line(shard, *span))
    return found


def _line_around(file: int, place: int, longest: int) -> tuple[int, int] | None:
    """Where the line that holds the byte at ``place`` begins, and where its line break stands; None if the line is
    longer than ``longest``, its line break counted."""
    reach = min(longest, FIRST_REACH)
    while True:
        low = max(0, place - reach)
        data = os.pread(file, place - low + reach, low)
        begin = data.rfind(b"\n", 0, place - low) + 1
        end = data.find(b"\n", place - low)
        if (begin or not low) and end >= 0:
            return (low + begin, low + end) if end + 1 - begin <= longest else None
        if reach == longest or (end < 0 and len(data) < place - low + reach):
            return None
        reach = min(longest, 4 * reach)

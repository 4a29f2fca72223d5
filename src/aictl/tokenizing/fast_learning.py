"""Merges learnt by ``gigatoken``, where they are those that ``tokenizers`` would learn.

Both merge the pair that occurs most often and, of equals, that of the lowest ids. They part where pairs become
rare: ``tokenizers`` stops before those that occur once, and ``gigatoken`` goes on. No pair that is merged occurs
more often than the one before it, so a last token that is still used twice says that nothing rarer was merged.
Whether the two count the same in this text is tried on a sample of it.

``gigatoken`` prints what it does, so it works in a process of its own, where it can also fail alone.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from aictl.artifacts.dataset import read_shard
from aictl.core.events import Events, silent
from aictl.tokenizing.byte_bpe import (
    BYTES,
    LEAST_FREQUENCY,
    ROLES,
    Merges,
    assembled,
    learn,
    merges_of,
    spelled,
    unspelled,
)
from aictl.tokenizing.encoder import Differs, Encoder, batches
from aictl.tokenizing.folder import TokenizerFolder, write

WORTH_BYTES = 8 * 2**20  # from less than this `tokenizers` learns in seconds
# `tokenizers` counts pairs in 32 bits, and what it learns past that is wrong (its issue 2058). No pair
# occurs more often than there are bytes.
MOST_BYTES = 2**31 - 1
SAMPLE_BYTES = 2**20
SAMPLE_LINE_BYTES = 16 * 2**20  # a longer document is no sample
SAMPLE_MERGES = 512


class Unsure(Exception):
    """Why ``tokenizers`` has to learn after all."""


def fast_merges(shards: Sequence[Path], count: int, events: Events) -> Merges | None:
    """``count`` merges learnt from a dataset's shards, or None where they might not be those of ``tokenizers``,
    for a reason that is told."""
    if not WORTH_BYTES <= sum(path.stat().st_size for path in shards) <= MOST_BYTES or not count:
        return None
    if importlib.util.find_spec("gigatoken") is None:
        events.noted("gigatoken, which learns tokenizers many times as fast, is not installed", "detail")
        return None
    try:
        return _learnt(shards, count)
    except Unsure as reason:
        events.noted(f"learning with tokenizers, which is slower: {reason}")
        return None


def _learnt(shards: Sequence[Path], count: int) -> Merges:
    with tempfile.TemporaryDirectory(prefix="aictl-learning-") as name:
        place = Path(name)
        sample = place / "sample.jsonl"
        sample.write_bytes(_first_lines(shards[0]))
        _run([([str(sample)], SAMPLE_MERGES), ([str(path) for path in shards], count)], place)
        tried, merges = (
            [(left, right) for left, right in json.loads((place / f"{number}.json").read_text("utf-8"))]
            for number in range(2)
        )
        expected = merges_of(learn(_texts([sample]), BYTES + len(ROLES) + SAMPLE_MERGES))
        if tried[: len(expected)] != expected:
            raise Unsure("gigatoken learns something else from a sample of this text")
        if len({left + right for left, right in merges}) < count:
            raise Unsure(f"the text has fewer than {count:,} patterns")
        if not _occurs(merges, shards, place / "tokenizer"):
            raise Unsure("a vocabulary of this size takes in what occurs only once")
    return merges


def _occurs(merges: Merges, shards: Sequence[Path], folder: Path) -> bool:
    """Whether the token that was learnt last is used as often as it has to be."""
    folder.mkdir()
    write(assembled(merges, list(ROLES.values())), folder, ROLES)
    encoder = Encoder(TokenizerFolder(folder), silent)
    last = "".join(merges[-1])
    number, spelled_out = encoder.tokenizer.library.token_to_id(last), unspelled(last)
    holding = (text for text in _texts(shards) if spelled_out in text.encode("utf-8", "surrogatepass"))
    found = 0
    try:
        for batch in batches(holding):
            found += int((encoder.encode(batch).ids == number).sum())
            if found >= LEAST_FREQUENCY:
                return True
    except Differs:
        raise Unsure("gigatoken encodes this text otherwise") from None
    return False


def _texts(shards: Sequence[Path]) -> Iterator[str]:
    return (document["text"] for path in shards for document in read_shard(path))


def _first_lines(path: Path) -> bytes:
    """Whole documents of ``SAMPLE_BYTES`` together, or all there are."""
    lines, size = [], 0
    with path.open("rb") as file:
        while size < SAMPLE_BYTES and (line := file.readline(SAMPLE_LINE_BYTES)):
            if len(line) == SAMPLE_LINE_BYTES:
                raise Unsure("its first documents are too long to compare the two on")
            lines.append(line)
            size += len(line)
    return b"".join(lines)


def _run(jobs: list[tuple[list[str], int]], place: Path) -> None:
    """Do the jobs in another Python."""
    called = f"from {__name__} import write_merges; write_merges({jobs!r}, {str(place)!r})"
    words = [sys.executable, "-P", "-c", called]
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        raise Unsure(f"no other Python can be started: {error}") from error
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Unsure(f"gigatoken failed: {lines[-1] if lines else f'exit status {done.returncode}'}")


def write_merges(jobs: Sequence[tuple[Sequence[str], int]], place: str) -> None:
    """Learn so many merges from each group of files and write them as JSON; called in a process of its own."""
    import gigatoken

    for number, (paths, count) in enumerate(jobs):
        # No special tokens: in what is learnt from they are text.
        _, pairs = gigatoken.train_bpe(gigatoken.JsonlFileSource(list(paths)), BYTES + count, [])
        merges = [[spelled(left), spelled(right)] for left, right in pairs]
        Path(place, f"{number}.json").write_text(json.dumps(merges), "utf-8")

"""Which of all documents stay, and on which side of the split: what can only be said once all have been seen.

Of documents that say the same the first stays. Every decision depends on the documents and the seed alone: a
document's rank is a number that its content gives it, so that it stays on its side of the split when others come and
go, and all near-duplicates of a document go where their first one goes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from aictl.artifacts.dataset import Format
from aictl.core.errors import BadInput
from aictl.data.arrays.hashing import mixed
from aictl.data.arrays.view import View
from aictl.data.duplicates.clusters import Match, cluster
from aictl.data.duplicates.signatures import shingle_sets
from aictl.data.prep import alike, looks
from aictl.data.prep.rows import GROUPED, said_in
from aictl.data.prep.shelf import Chunk, Documents
from aictl.data.prep.spec import PrepSpec, SplitSpec

KEPT, EXACT, NEAR, DRAWN, OTHERS = range(5)  # why a document does not stay
SPLITS = ("train", "validation", "test")
DIGESTS_AT_ONCE = 1 << 24
SHINGLES_KEPT = 1 << 25  # hashes of documents that are being compared: 256 MB


class Sifted(NamedTuple):
    """For every document, in order: why it does not stay (``KEPT`` if it does), the number of its split, the
    number of the document that stays in its stead, and the number of the first that is the same; the pairs by
    which near-duplicates were found; and the similarity from which documents stand on one side. Of pictures and
    of texts with labels, the number of each one's label among ``label_names``, of which the empty one is none; and
    whether any picture has boxes."""

    fates: np.ndarray
    splits: np.ndarray
    clusters: np.ndarray
    of: np.ndarray
    matches: Sequence[Match]
    apart: float
    labels: np.ndarray = np.empty(0, int)
    label_names: Sequence[str] = ()
    are_boxed: bool = False


def sift(references: Sequence[Chunk], own: Sequence[Chunk], spec: PrepSpec, format: Format) -> Sifted:
    """Decide about all documents, those of ``references`` first, which are others' and only there to be compared
    with.

    Raises :class:`BadInput` if there are too few to split.
    """
    chunks = [*references, *own]
    others, count = sum(map(len, references)), sum(map(len, chunks))
    fates: np.ndarray = np.zeros(count, np.uint8)
    first = _first_of_equals(chunks, count)
    if spec.duplicates.exact_duplicates == "drop" or others:
        fates[first != np.arange(count)] = EXACT
        if spec.duplicates.exact_duplicates == "keep":
            fates[first >= others] = KEPT
    pictures = format == "image"
    labelled = pictures or (format == "text" and spec.reading.has_labels)
    names, labels = looks.labels_of(chunks) if labelled else ([], None)
    # Of documents that say something else of the same, such as two answers to one prompt, the first.
    same_input = _first_of_equals(chunks, count, "inputs") if format in GROUPED else None
    shingles = _Shingles(chunks, format)
    clusters, matches = first, list[Match]()
    if near := spec.duplicates.near_duplicates:
        if pictures:
            clusters, matches = alike.clusters(looks.looks_of(chunks), near)
        else:
            found, matches = cluster(lambda: _keys(chunks, first), count, shingles, near)
            clusters = found.firsts()[first]
        stays = same_input if pictures and same_input is not None and looks.is_any(chunks, "captioned") else None
        fates[(fates == KEPT) & (clusters != (np.arange(count) if stays is None else stays))] = NEAR
    together = clusters
    if spec.split_at is not None and spec.split_at != near:
        found, _ = cluster(lambda: _keys(chunks, clusters), count, shingles, spec.split_at)
        together = found.firsts()[clusters]
    sames = clusters
    if same_input is not None:
        together, sames = _joined(together, same_input), _joined(clusters, same_input)
    fates[:others] = OTHERS
    ranks = _ranks(chunks, spec.split.seed)
    _draw(fates, ranks, chunks, spec.split, by_number=pictures)
    sides, apart = _sides(fates, ranks, together, spec.split, labels), spec.split_at
    if sides is None and apart is not None:
        # Nothing but variations of a few texts: better a split that says what it is than none.
        sides, apart = _sides(fates, ranks, sames, spec.split, labels), None
    if sides is None:
        raise _too_few(own, fates, format, spec.split)
    sifted = Sifted(fates, sides, clusters, first, matches, apart if apart is not None else 1.0)
    if labels is None:
        return sifted
    boxed = pictures and looks.is_any(chunks, "boxed")
    return sifted._replace(labels=labels, label_names=names, are_boxed=boxed)


def _joined(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The first document of each one's set, for two ways of putting them into sets: what is together in one of them is
    together."""
    firsts = np.arange(len(ones))
    while True:
        before = firsts
        for of in (ones, others):
            least = firsts.copy()
            np.minimum.at(least, of, firsts)
            firsts = least[of]
        if (firsts == before).all():
            return firsts


def _first_of_equals(chunks: Sequence[Chunk], count: int, column: str = "digests") -> np.ndarray:
    """The number of the first document that is the same as each, or has the same in another ``column``."""
    first = np.arange(count)
    parts = max(1, -(-count // DIGESTS_AT_ONCE))
    for part in range(parts):
        numbers, digests, base = [], [], 0
        for chunk in chunks:
            rows = chunk.column(column) if len(chunk) else np.empty((0, 2), np.uint64)
            places = np.flatnonzero(rows[:, 0] % np.uint64(parts) == part) if parts > 1 else np.arange(len(rows))
            numbers.append(places + base)
            digests.append(rows[places])
            base += len(rows)
        where, rows = np.concatenate(numbers), np.concatenate(digests)
        order = np.lexsort((rows[:, 1], rows[:, 0]))  # which keeps equal ones in their order
        same = (rows[order][1:] == rows[order][:-1]).all(axis=1)
        starts = np.maximum.accumulate(np.where(np.append(False, same), 0, np.arange(len(order))))
        first[where[order]] = where[order[starts]]
    return first


def _keys(chunks: Sequence[Chunk], first: np.ndarray) -> Iterator[np.ndarray]:
    """Band keys chunk by chunk; a document for which another one stands has none."""
    base = 0
    for chunk in chunks:
        if not len(chunk):
            continue
        keys = chunk.column("keys")
        numbers = np.arange(base, base + len(chunk))
        keys[first[numbers] != numbers] = 0
        base += len(chunk)
        yield keys


class _Shingles:
    """The shingles of a document by its number; the latest ones are kept."""

    def __init__(self, chunks: Sequence[Chunk], format: Format) -> None:
        self._documents = Documents(chunks)
        self._format = format
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()
        self._size = 0

    def __call__(self, number: int) -> np.ndarray:
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        text = said_in(self._documents[number], self._format)
        (found,) = shingle_sets(View([text]).words, 1)
        self._kept[number] = found
        self._size += len(found)
        while self._size > SHINGLES_KEPT and len(self._kept) > 2:
            self._size -= len(self._kept.popitem(last=False)[1])
        return found


def _ranks(chunks: Sequence[Chunk], seed: int) -> np.ndarray:
    """A number in [0, 1) for each document, by its content and the seed."""
    digests = [chunk.column("digests")[:, 0] for chunk in chunks if len(chunk)]
    if not digests:
        return np.empty(0)
    return mixed(np.concatenate(digests) ^ mixed(np.array([seed + 1], np.uint64))) / 2.0**64


def _draw(fates: np.ndarray, ranks: np.ndarray, chunks: Sequence[Chunk], spec: SplitSpec, *, by_number: bool) -> None:
    """Leave out what is not drawn, in place: a share of all, and of each source what its weight does not allow, which
    is of characters or by the number of documents."""
    if spec.sample == 1 and not spec.weights:
        return
    shares = np.full(len(fates), spec.sample)
    if spec.weights:
        some = [chunk for chunk in chunks if len(chunk)]
        sources = np.concatenate([chunk.column("sources") for chunk in some])
        characters = np.concatenate([chunk.column("characters") for chunk in some])
        sizes = np.ones(len(sources)) if by_number else characters
        there = np.bincount(sources, sizes * (fates == KEPT), minlength=len(spec.weights))
        takes = np.divide(spec.weights, there, out=np.zeros(len(there)), where=there > 0)
        shares *= (takes / max(takes.max(), 1e-300))[sources]
    drawn = (ranks * 4093) % 1  # other digits than those by which sides are chosen
    fates[(fates == KEPT) & (drawn >= shares)] = DRAWN


def _sides(
    fates: np.ndarray, ranks: np.ndarray, clusters: np.ndarray, spec: SplitSpec, labels: np.ndarray | None
) -> np.ndarray | None:
    """The split of each document: that of the first document of its cluster. None if there are too few clusters."""
    if labels is None:
        own = ranks[clusters]
        sides = np.zeros(len(fates), np.int8)
        sides[own < spec.validation_fraction + spec.test_fraction] = 2
        sides[own < spec.validation_fraction] = 1
    else:
        sides = _sides_by_label(np.unique(clusters[fates == KEPT]), ranks, labels, spec)[clusters]
    wanted = _wanted(spec)
    kept = np.flatnonzero(fates == KEPT)
    groups = np.unique(clusters[kept])
    if len(groups) < len(wanted):
        return None
    order = groups[np.argsort(ranks[groups], kind="stable")]
    for side in wanted:
        if not (sides[kept] == side).any():
            moved = order[-1] if side == 0 else next(one for one in order if _spare(sides, one, kept, clusters))
            sides[clusters == moved] = side
    return sides


def _sides_by_label(groups: np.ndarray, ranks: np.ndarray, labels: np.ndarray, spec: SplitSpec) -> np.ndarray:
    """The split of the first documents of clusters, such that each label has its share on every side: of those with it
    the ones with the least ranks are held out, one at least if there are enough."""
    sides = np.zeros(len(ranks), np.int8)
    order = groups[np.lexsort((ranks[groups], labels[groups]))]
    for own in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        left, begin = len(own) - 1, 0
        for side, share in ((1, spec.validation_fraction), (2, spec.test_fraction)):
            count = min(left, max(1, round(len(own) * share))) if share else 0
            sides[own[begin : begin + count]] = side
            begin, left = begin + count, left - count
    return sides


def _spare(sides: np.ndarray, group: int, kept: np.ndarray, clusters: np.ndarray) -> bool:
    """Whether the side that a cluster is on has another one."""
    own = sides[group]
    return len(np.unique(clusters[kept[sides[kept] == own]])) > 1


def _wanted(spec: SplitSpec) -> list[int]:
    """The sides that have to have a document."""
    return [0] + [1] * (spec.validation_fraction > 0) + [2] * (spec.test_fraction > 0)


def _too_few(chunks: Sequence[Chunk], fates: np.ndarray, format: Format, spec: SplitSpec) -> BadInput:
    documents = int((fates == KEPT).sum())
    names = " and ".join([", ".join(SPLITS[side] for side in _wanted(spec)[:-1]), SPLITS[_wanted(spec)[-1]]])
    characters = sum(int(chunk.column("characters").sum()) for chunk in chunks if len(chunk))
    cut = f", --max-chars {characters // 4 or 1}" if format == "text" else ""
    what = "picture" if format == "image" else "document"
    said = f"one {what} is" if documents == 1 else f"{documents} {what}s are"
    return BadInput(f"{said} too few to split into {names}", cure=f"give more{cut}, or --validation-fraction 0")

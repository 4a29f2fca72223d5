"""64-bit hashes of any stretches of an array of code points, all at once.

A stretch hashes to the polynomial ``Σ (code + 1) · r^place``, divided by ``r`` to the power of its first place,
modulo 2^64: a running sum over the whole array answers for every stretch in it with one subtraction, and ``r``
is odd, so that it can be divided by. A finaliser (that of SplitMix64, https://doi.org/10.1145/2714064.2660195)
spreads what differs in few bits.
"""

from __future__ import annotations

from functools import cache

import numpy as np

_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_NEXT = np.uint64(0xD1342543DE82EF95)  # multiplies the hash of what came before
_FIRST_BYTES = np.array([(1 << 8 * count) - 1 for count in range(9)], np.uint64)  # of eight, by how many are wanted
_AT_ONCE = 1 << 18  # code points that are summed together: what they need stays in the cache


class Hasher:
    """Hashes of stretches of ``codes``."""

    def __init__(self, codes: np.ndarray) -> None:
        self._sums = _running(codes)

    def of(self, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """uint64 hashes of ``codes[start:end]`` for each pair."""
        return mixed((self._sums[ends] - self._sums[starts]) * powers(_INVERSE, len(self._sums))[starts])


def of_bytes(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """uint64 hashes of ``data[start:end]``, of uint8, for each pair: eight bytes at a time, which for words is three
    times as fast as sums over every place."""
    eights: np.ndarray = np.ndarray((len(data) + 1,), "<u8", data.tobytes() + bytes(8), strides=(1,))
    lengths = ends - starts
    hashes = eights[starts] & np.take(_FIRST_BYTES, lengths, mode="clip")
    hashes = mixed(hashes ^ (lengths.astype(np.uint64) * _NEXT))
    longer, done = np.flatnonzero(lengths > 8), 8
    while len(longer):
        left = lengths[longer] - done
        more = eights[starts[longer] + done] & np.take(_FIRST_BYTES, left, mode="clip")
        hashes[longer] = mixed(hashes[longer] * _NEXT + more)
        longer, done = longer[left > 8], done + 8
    return hashes


def _running(codes: np.ndarray) -> np.ndarray:
    """Sums of the terms before each place, of length ``len(codes) + 1``."""
    sums: np.ndarray = np.empty(len(codes) + 1, np.uint64)
    sums[0] = 0
    factors = powers(_BASE, len(codes))
    for first in range(0, len(codes), _AT_ONCE):
        last = min(first + _AT_ONCE, len(codes))
        terms = codes[first:last].astype(np.uint64)
        terms += np.uint64(1)
        terms *= factors[first:last]
        part = sums[first + 1 : last + 1]
        np.cumsum(terms, out=part)
        part += sums[first]
    return sums


def powers(base: int, count: int) -> np.ndarray:
    """``base`` to the powers 0 to ``count`` - 1, modulo 2^64. Kept for later calls."""
    return _powers(base, 1 << max(16, (count - 1).bit_length()))


@cache
def _powers(base: int, count: int) -> np.ndarray:
    found: np.ndarray = np.empty(count, np.uint64)
    found[0], known = 1, 1
    while known < count:
        more = min(known, count - known)
        found[known : known + more] = found[:more] * np.uint64(pow(base, known, 1 << 64))
        known += more
    return found


def mixed(hashes: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser; the array itself is not kept."""
    hashes ^= hashes >> np.uint64(30)
    hashes *= np.uint64(0xBF58476D1CE4E5B9)
    hashes ^= hashes >> np.uint64(27)
    hashes *= np.uint64(0x94D049BB133111EB)
    hashes ^= hashes >> np.uint64(31)
    return hashes


def windows(hashes: np.ndarray, length: int) -> np.ndarray:
    """Hashes of every ``length`` neighbours, in order: ``len(hashes) - length + 1`` of them, or none."""
    count = len(hashes) - length + 1
    if count <= 0:
        return np.empty(0, np.uint64)
    found = hashes[:count].copy()
    for place in range(1, length):
        found *= _NEXT
        found += hashes[place : place + count]
    return mixed(found)

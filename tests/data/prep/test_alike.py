"""Pictures that look alike, against a comparison of all with all."""

from __future__ import annotations

import numpy as np
import pytest

from aictl.data.prep.alike import BITS, clusters


def by_hand(looks, share):
    """The first of each one's cluster, by holding all against all."""
    bits = np.unpackbits(looks, axis=1).astype(int)
    alike = (bits[:, None] == bits[None]).sum(axis=2) >= share * BITS
    first = np.arange(len(looks))
    while True:
        after = np.array([first[row].min() for row in alike])
        if (after == first).all():
            return first
        first = after


def flipped(looks, most, random):
    """Each with some of its bits turned, ``most`` at the most."""
    bits = np.unpackbits(looks, axis=1)
    for row in bits:
        row[random.choice(BITS, random.integers(0, most + 1), replace=False)] ^= 1
    return np.packbits(bits, axis=1)


@pytest.mark.parametrize("share", [1, 0.99, 0.95, 0.9, 0.8, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_none_is_missed_and_none_too_many(share, seed):
    random = np.random.default_rng(seed)
    first = random.integers(0, 256, (60, 16), np.uint8)
    first[:20, 4:] = 0  # much of many pictures is empty
    looks = np.concatenate([first, flipped(first, 3, random), flipped(first, 12, random), first[:10]])
    looks = looks[random.permutation(len(looks))]
    found, matches = clusters(looks, share)
    assert found.tolist() == by_hand(looks, share).tolist()
    bits = np.unpackbits(looks, axis=1)
    assert {one.number for one in matches} == set(np.flatnonzero(found != np.arange(len(looks))).tolist())
    for one in matches:
        assert one.of != one.number and found[one.of] == found[one.number]
        assert one.similarity == (bits[one.of] == bits[one.number]).mean() >= share


def test_a_chain_is_one_cluster_and_its_ends_are_not_alike():
    bits = np.tril(np.ones((40, BITS), np.uint8), -1)  # each differs from the next in one bit
    looks = np.packbits(bits, axis=1)
    assert set(clusters(looks, 0.99)[0].tolist()) == {0}
    assert clusters(looks[::4], 0.99)[0].tolist() == list(range(10))


def test_a_film_of_nearly_equal_pictures_is_soon_done():
    """Every pair of them is alike: what is known to belong together is not held against each other again."""
    random = np.random.default_rng(1)
    looks = flipped(np.tile(random.integers(0, 256, 16, np.uint8), (20_000, 1)), 2, random)
    found, matches = clusters(looks, 0.95)
    assert (found == 0).all()
    assert len(matches) == len(looks) - 1


def test_none_and_one():
    assert clusters(np.empty((0, 16), np.uint8), 0.9)[0].tolist() == []
    assert clusters(np.zeros((1, 16), np.uint8), 0.9)[0].tolist() == [0]

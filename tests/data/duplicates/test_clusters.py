"""Near-duplicates are found: nearly all of them, nothing else, and as the clusters that they are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tests.data.duplicates.planted import planted, similar_pairs

from aictl.data.arrays.view import View
from aictl.data.duplicates import clusters as room
from aictl.data.duplicates.clusters import Clusters, cluster
from aictl.data.duplicates.signatures import band_keys, bands_for, shingle_sets, signatures


def found(texts, threshold, per_block=100):
    """The clusters that are found, and the pairs by which."""
    blocks = [texts[at : at + per_block] for at in range(0, len(texts), per_block)]

    def keys():
        for block in blocks:
            smallest, counts = signatures(View(block).words, len(block))
            yield band_keys(smallest, counts, bands_for(threshold))

    sets = shingle_sets(View(texts).words, len(texts))
    return cluster(keys, len(texts), sets.__getitem__, threshold)


@pytest.fixture(scope="module")
def texts():
    return planted(900)


def test_recall_precision_and_clusters_against_exact_similarity(texts):
    threshold = 0.8
    clusters, matches = found(texts, threshold)
    truth = similar_pairs(texts, 0.5)
    assert len(truth) > 600
    for match in matches:
        assert match.of < match.number
        assert match.similarity == truth[match.of, match.number] >= threshold
    firsts = clusters.firsts()
    close = [pair for pair, similarity in truth.items() if similarity >= 0.85]
    joined = sum(firsts[one] == firsts[other] for one, other in close)
    assert joined >= 0.98 * len(close)

    wanted = Clusters(len(texts))
    for (one, other), similarity in truth.items():
        if similarity >= threshold:
            wanted.join(one, other)
    wanted_firsts = wanted.firsts()
    of_one = [members for members in _members(firsts) if len(members) > 1]
    together = [pair for members in of_one for pair in itertools.combinations(members, 2)]
    right = sum(wanted_firsts[one] == wanted_firsts[other] for one, other in together)
    assert right >= 0.98 * len(together)
    exactly = sum(members in _members(wanted_firsts) for members in of_one)
    assert exactly >= 0.97 * len(of_one)


def _members(firsts):
    members = {}
    for number, first in enumerate(firsts.tolist()):
        members.setdefault(first, []).append(number)
    return list(members.values())


def test_the_result_depends_neither_on_blocks_nor_on_how_many_keys_are_sorted_at_once(texts, monkeypatch):
    once, matches = found(texts, 0.8)
    assert np.array_equal(once.firsts(), found(texts, 0.8, per_block=7)[0].firsts())
    monkeypatch.setattr(room, "KEYS_AT_ONCE", 100)
    parts, others = found(texts, 0.8)
    assert np.array_equal(once.firsts(), parts.firsts())
    assert len(matches) == len(others)


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_bands_bring_up_what_is_as_similar_as_asked(threshold):
    cut = bands_for(threshold)
    assert cut.found(threshold) >= 0.985
    assert cut.bands * cut.rows <= 128
    assert cut.found(threshold / 2) < 0.6


def test_texts_without_words_are_nobody_s_duplicates():
    clusters, matches = found(["...", "---", "", "...", "one two three four five six"], 0.8)
    assert clusters.firsts().tolist() == [0, 1, 2, 3, 4]
    assert matches == []


def test_texts_of_fewer_words_than_a_shingle_are_compared_whole():
    clusters, _ = found(["Hello, World", "hello world!", "hello", "world hello"], 0.8)
    assert clusters.firsts().tolist() == [0, 0, 2, 3]


def test_a_cluster_is_known_by_its_first_whatever_the_order_of_joining():
    clusters = Clusters(6)
    for one, other in ((5, 4), (4, 2), (3, 1), (5, 1)):
        clusters.join(one, other)
    assert clusters.firsts().tolist() == [0, 1, 1, 1, 1, 1]
    assert clusters.first(5) == 1

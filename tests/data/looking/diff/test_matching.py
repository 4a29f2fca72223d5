"""Which documents are which, against the same counted with plain dictionaries."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from aictl.core.events import silent
from aictl.data.looking.diff import matching
from aictl.data.looking.diff.fingerprints import documents_at, fingerprints
from aictl.data.looking.diff.matching import match, paired

SPLITS = ("train", "validation", "test")


def drawn(seed: int, count: int = 300):
    """Documents of few texts and few sources, so that many stand there several times."""
    draw = random.Random(seed)
    found: dict[str, list[dict[str, str]]] = {}
    for _ in range(count):
        one = {"text": f"text {draw.randrange(60)}", "source": f"s{draw.randrange(60)}"}
        found.setdefault(draw.choice(SPLITS), []).append(one)
    return dict(sorted(found.items()))


def counted(before, after):
    """What becomes of documents, round by round, each taking what the one before left."""
    left = [
        Counter((split, one["text"], one["source"]) for split, rows in side.items() for one in rows)
        for side in (before, after)
    ]
    found: Counter[str] = Counter()
    same, changed = [("same", (0, 1, 2)), ("moved", (1, 2))], [("changed", (0, 2)), ("changed", (2,))]
    rounds = [*same, ("renamed", (0, 1)), ("moved", (1,)), *changed]
    for word, by in rounds:
        for one in list(left[0]):
            for other in list(left[1]):
                if all(one[place] == other[place] for place in by):
                    count = min(left[0][one], left[1][other])
                    found[word] += count
                    left[0][one] -= count
                    left[1][other] -= count
    found["removed"], found["added"] = left[0].total(), left[1].total()
    return found


@pytest.mark.parametrize("part", [7, 1 << 20])
@pytest.mark.parametrize("seed", range(3))
def test_counts_are_those_of_dictionaries(text_dataset, monkeypatch, part, seed):
    monkeypatch.setattr(matching, "PART", part)
    before, after = drawn(seed), drawn(seed + 100, 250)
    ones, others = (fingerprints(text_dataset(side), "read", silent) for side in (before, after))
    found = match(ones, others, 3)
    totals: Counter[str] = Counter()
    for (word, *_), count in found.counts.items():
        totals[word] += count
    wanted = counted(before, after)
    assert totals == Counter({word: count for word, count in wanted.items() if count})
    for split in SPLITS:
        assert sum(n for (_, one, _), n in found.counts.items() if one == split) == len(before.get(split, ()))
        assert sum(n for (_, _, other), n in found.counts.items() if other == split) == len(after.get(split, ()))


def test_samples_are_of_what_they_say_and_the_same_every_time(text_dataset):
    before, after = text_dataset(drawn(1)), text_dataset(drawn(2))
    ones, others = fingerprints(before, "a", silent), fingerprints(after, "b", silent)
    found = match(ones, others, 4)
    assert found.samples == match(ones, others, 4).samples
    for word, pairs in found.samples.items():
        assert 0 < len(pairs) <= 4
        left = documents_at(before, ones, [one for one, _ in pairs if one >= 0])
        right = documents_at(after, others, [other for _, other in pairs if other >= 0])
        for a, b in pairs:
            one, other = left.get(a), right.get(b)
            if word == "same":
                assert one == other
            elif word == "moved":
                assert one["text"] == other["text"] and one["split"] != other["split"]
            elif word == "renamed":
                assert one["text"] == other["text"] and one["source"] != other["source"]
            elif word == "changed":
                assert one["text"] != other["text"] and one["source"] == other["source"]
            else:
                assert (one is None) == (word == "added") and (other is None) == (word == "removed")
    assert match(ones, others, 0).samples.keys() == found.samples.keys()


def test_pairs_of_equal_keys():
    ones, others = np.array([3, 1, 3, 9], np.uint64), np.array([3, 3, 3, 1], np.uint64)
    at, to = paired(ones, others)
    assert sorted(zip(at.tolist(), to.tolist(), strict=True)) == [(0, 0), (1, 3), (2, 1)]
    empty = np.empty(0, np.uint64)
    assert [len(one) for one in paired(ones, empty)] == [0, 0] == [len(one) for one in paired(empty, others)]

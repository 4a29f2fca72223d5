"""Words counted in a bounded table: exact while they fit, and within what is said when they do not."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter

import numpy as np
import pytest
from tests.data.duplicates.planted import paragraphs

from aictl.data.arrays.view import View
from aictl.data.looking.stats import vocabulary as module
from aictl.data.looking.stats.vocabulary import Vocabulary


def of(*blocks: list[str]) -> Vocabulary:
    vocabulary = Vocabulary()
    for texts in blocks:
        vocabulary.add(View(texts))
    return vocabulary


def counted(texts: list[str]) -> Counter[str]:
    return Counter(word for text in texts for word in re.findall(r"[^\W_]+", text.lower()))


def test_counts_are_exact_and_words_are_words():
    texts = [*paragraphs(60), "Ünïcödé ÜNÏCÖDÉ 漢字 漢 a_b"]
    vocabulary = of(texts[:20], [], ["..."], texts[20:])
    expected = counted(texts)
    del expected["漢字"]
    expected.update(["漢", "字"])  # each character of a script without spaces stands for itself
    assert dict(vocabulary.frequent(10**6)) == expected
    assert vocabulary.total == expected.total() and vocabulary.different == len(expected)
    assert not vocabulary.is_estimated and vocabulary.lost == 0
    assert [count for _, count in vocabulary.frequent(10)] == sorted(expected.values(), reverse=True)[:10]


def test_parts_come_to_the_same_as_the_whole():
    texts = paragraphs(60)
    whole = of(texts)
    merged = of(texts[:10])
    for begin in range(10, 60, 10):
        merged.merge(of(texts[begin : begin + 10]))
    assert merged.frequent(50) == whole.frequent(50)
    assert (merged.total, merged.different) == (whole.total, whole.different)
    assert merged.growth[-1] == (whole.total, whole.different)
    assert [words for words, _ in merged.growth] == sorted(words for words, _ in merged.growth)


@pytest.fixture
def small(monkeypatch):
    """Tables that are full after a few thousand words."""
    monkeypatch.setattr(module, "WORDS_KEPT", 1 << 10)
    monkeypatch.setattr(module, "SKETCH", 1 << 12)


def test_a_full_table_keeps_the_frequent_words_and_says_how_wrong_it_may_be(small):
    maker = random.Random(0)
    frequent = [f"common{number}" for number in range(50)]
    blocks, expected = [], Counter[str]()
    for _ in range(40):
        words = [f"rare{maker.randrange(10**9)}" for _ in range(1500)]
        words += [word for at, word in enumerate(frequent) for _ in range(60 - at)]
        maker.shuffle(words)
        expected.update(words)
        blocks.append([" ".join(words)])
    one, other = of(*blocks[:25]), of(*blocks[25:])
    one.merge(other)
    assert one.is_estimated and one.lost > 0
    assert one.different == pytest.approx(len(expected), rel=5 / np.sqrt(module.SKETCH))
    found = dict(one.frequent(20))
    assert set(found) == set(frequent[:20])
    assert all(0 <= expected[word] - count <= one.lost for word, count in found.items())


def test_growth_is_noted_at_every_doubling():
    vocabulary = of(*([f"w{number} same"] for number in range(5000)))
    words = [words for words, _ in vocabulary.growth]
    assert words[0] >= module.GROWTH_FROM and all(b >= 2 * a for a, b in itertools.pairwise(words))
    assert all(different == words // 2 + 1 for words, different in vocabulary.growth)

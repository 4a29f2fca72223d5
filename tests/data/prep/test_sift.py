"""Which documents stay, and on which side of the split."""

from __future__ import annotations

import hashlib

import numpy as np
import orjson
import pytest

from aictl.core.errors import BadInput
from aictl.data.arrays.view import View
from aictl.data.duplicates.signatures import band_keys, bands_for, signatures
from aictl.data.prep.shelf import Facts, Filled, Shelf
from aictl.data.prep.sift import EXACT, KEPT, NEAR, SPLITS, sift
from aictl.data.prep.spec import PrepSpec
from aictl.workspace.config import settle


@pytest.fixture
def split(tmp_path):
    """``split(texts, **options)`` → {text: side} of those that stay, and the whole of what was decided."""
    folders = iter(range(1000))

    def run(texts, sources=None, per_chunk=1000, **options):
        spec = settle("data.prep", PrepSpec, options, environment={}).spec
        shelf = Shelf(tmp_path / str(next(folders)))
        for number, begin in enumerate(range(0, len(texts), per_chunk)):
            part = texts[begin : begin + per_chunk]
            digests = b"".join(hashlib.sha256(text.encode()).digest()[:16] for text in part)
            smallest, counts = signatures(View(part).words, len(part))
            columns = {
                "digests": np.frombuffer(digests, "<u8").reshape(-1, 2),
                "characters": np.array([len(text) for text in part]),
                "sources": np.array((sources or [0] * len(texts))[begin : begin + per_chunk]),
                "keys": band_keys(smallest, counts, bands_for(spec.compared_at or 0.8)),
            }
            lines = [orjson.dumps({"text": text, "source": str(at)}) + b"\n" for at, text in enumerate(part, begin)]
            shelf.put(Filled(Facts(0, number, len(part), False, len(part), {}, [], 1, []), lines, columns))
        found = sift([], list(shelf.all([0])), spec, "text")
        sides = {
            text: SPLITS[side]
            for text, side, fate in zip(texts, found.splits, found.fates, strict=True)
            if fate == KEPT
        }
        return sides, found

    return run


def documents(count):
    return [f"document {number} " + " ".join(f"w{number}x{place}" for place in range(12)) for number in range(count)]


def test_the_share_is_about_what_was_asked_for(split):
    sides, found = split(documents(4000), validation_fraction=0.1, test_fraction=0.05)
    counts = {side: list(sides.values()).count(side) for side in SPLITS}
    assert 320 < counts["validation"] < 480  # four standard deviations of a binomial
    assert 140 < counts["test"] < 260
    assert len(sides) == 4000 and not found.fates.any()


def test_a_document_stays_on_its_side_whatever_stands_around_it(split):
    sides, _ = split(documents(1000), validation_fraction=0.1)
    fewer, _ = split(documents(1000)[::-2], validation_fraction=0.1)
    assert all(sides[document] == side for document, side in fewer.items())


def test_another_seed_holds_out_others(split):
    one, _ = split(documents(1000), validation_fraction=0.1, seed=1)
    two, _ = split(documents(1000), validation_fraction=0.1, seed=2)
    assert one != two


def test_what_is_decided_does_not_depend_on_chunks(split):
    texts = [*documents(200), *documents(50)]
    _, whole = split(texts, per_chunk=1000, sample=0.5)
    _, parts = split(texts, per_chunk=7, sample=0.5)
    for name in ("fates", "splits", "clusters", "of"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))


@pytest.mark.parametrize("fraction", [0.0001, 0.05, 0.5])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_two_documents_are_enough_for_two_splits(split, fraction, count):
    for seed in range(20):
        sides, _ = split(documents(count), validation_fraction=fraction, seed=seed)
        assert set(sides.values()) == {"train", "validation"}
        assert len(sides) == count


def test_three_are_enough_for_three(split):
    for seed in range(20):
        sides, _ = split(documents(3), validation_fraction=0.05, test_fraction=0.05, seed=seed)
        assert sorted(sides.values()) == sorted(SPLITS)


def test_one_document_is_too_few_unless_nothing_is_held_out(split):
    with pytest.raises(BadInput, match="one document is too few to split into train and validation"):
        split(["only this"])
    assert split(["only this"], validation_fraction=0)[0] == {"only this": "train"}


def test_of_equals_the_first_stays(split):
    texts = ["one two three", "four five six", "one two three", "one two three"]
    sides, found = split(texts)
    assert found.fates.tolist() == [KEPT, KEPT, EXACT, EXACT]
    assert found.of.tolist() == [0, 1, 0, 0]
    kept, found = split(texts, exact_duplicates="keep")
    assert not found.fates.any()
    assert len(set(found.splits[[0, 2, 3]].tolist())) == 1, "but they stand on one side"
    assert kept.keys() == sides.keys()


LONG = " ".join(f"word{number}" for number in range(200))


def test_near_duplicates_go_where_the_first_goes_or_are_dropped(split):
    texts = [LONG, *documents(40), LONG + " and an end", LONG.replace("word100", "another")]
    for seed in range(30):
        _, found = split(texts, validation_fraction=0.5, seed=seed)
        assert not found.fates.any()
        assert len(set(found.splits[[0, 41, 42]].tolist())) == 1
    _, found = split(texts, near_duplicates=0.8)
    assert found.fates.tolist() == [KEPT] * 41 + [NEAR] * 2
    assert [(match.number, match.of) for match in found.matches] == [(41, 0), (42, 0)]
    assert 0.9 < found.matches[0].similarity < 1


def test_variations_of_one_text_are_split_and_the_split_says_what_it_is(split):
    sides, found = split([LONG, LONG + " and an end"])
    assert set(sides.values()) == {"train", "validation"}
    assert found.apart == 1.0
    _, found = split([LONG, LONG + " and an end", *documents(1)])
    assert found.apart == 0.8
    assert found.splits[0] == found.splits[1]


def test_what_is_dropped_and_what_is_kept_together_may_differ(split):
    close, far = LONG + " and an end", " ".join(LONG.split()[:170]) + " and quite another end of some more words here"
    for seed in range(30):
        _, found = split([LONG, *documents(40), close, far], near_duplicates=0.95, validation_fraction=0.5, seed=seed)
        assert found.fates.tolist() == [KEPT] * 41 + [NEAR, KEPT]
        assert found.splits[0] == found.splits[42]


def test_a_sample_is_about_as_large_as_was_asked_for_and_weights_set_shares(split):
    sides, _ = split(documents(4000), sample=0.25)
    assert 890 < len(sides) < 1110
    texts = documents(4000)
    sides, _ = split(texts, sources=[0] * 3000 + [1] * 1000, weights=[1, 1])
    first = sum(text in sides for text in texts[:3000])
    second = sum(text in sides for text in texts[3000:])
    assert second == 1000, "the source that is short is taken whole"
    assert 900 < first < 1100

"""Cutting long texts, and dividing documents between training and validation."""

from __future__ import annotations

import hashlib
import random

import pytest

from aictl.data.splitting import Splitter, pieces


@pytest.mark.parametrize("max_chars", [1, 7, 50, 1000, 0])
def test_pieces_hold_the_whole_text_in_order(max_chars):
    maker = random.Random(1)
    text = "".join(maker.choice(["word ", "\n", "\n\n", "\n\n# Heading\n", "x" * 30]) for _ in range(400))
    cut = list(pieces(text, max_chars))
    assert "".join(piece for _, piece in cut) == text
    assert [offset for offset, _ in cut] == [sum(len(p) for _, p in cut[:i]) for i in range(len(cut))]
    assert all(len(piece) <= max_chars for _, piece in cut) or not max_chars


def test_a_heading_is_the_best_place_to_cut_and_then_a_paragraph():
    text = "a" * 60 + "\n\n# New\n\n" + "b" * 20 + "\n\n" + "c" * 60
    assert [piece[:5] for _, piece in pieces(text, 100)] == ["aaaaa", "# New"]
    assert [piece[0] for _, piece in pieces(text.replace("#", "-"), 100)] == ["a", "c"]


def split(documents, fraction, seed=0):
    sides = {}
    order = []

    def add(side, document):
        sides[document] = side
        order.append(document)

    splitter = Splitter(add, fraction, seed)
    for document in documents:
        splitter.add(hashlib.sha256(document.encode()).digest(), document)
    return splitter.close(), sides, order


def test_the_share_is_about_what_was_asked_for():
    documents = [f"document {number}" for number in range(4000)]
    done, sides, order = split(documents, 0.1)
    held_out = sum(side == "validation" for side in sides.values())
    assert done
    assert 320 < held_out < 480  # four standard deviations of a binomial
    assert order == documents


def test_a_document_stays_on_its_side_whatever_stands_around_it():
    documents = [f"document {number}" for number in range(1000)]
    _, sides, _ = split(documents, 0.1)
    _, fewer, _ = split(documents[::-2], 0.1)
    assert all(sides[document] == side for document, side in fewer.items())


def test_another_seed_holds_out_others():
    documents = [f"document {number}" for number in range(1000)]
    _, one, _ = split(documents, 0.1, seed=1)
    _, two, _ = split(documents, 0.1, seed=2)
    assert one != two


@pytest.mark.parametrize("fraction", [0.0001, 0.05, 0.5])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_two_documents_are_enough_for_two_splits(fraction, count):
    for seed in range(20):
        done, sides, order = split([f"document {number}" for number in range(count)], fraction, seed)
        assert done
        assert set(sides.values()) == {"train", "validation"}
        assert len(order) == count


def test_one_document_is_too_few_unless_nothing_is_held_out():
    assert not split(["only"], 0.05)[0]
    assert split(["only"], 0)[:2] == (True, {"only": "train"})

"""Cutting long texts."""

from __future__ import annotations

import random

import pytest

from aictl.data.cutting import pieces


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

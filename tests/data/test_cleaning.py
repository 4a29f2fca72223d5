"""Cleaning changes how a text is written down, never what it says."""

from __future__ import annotations

from collections import Counter

import pytest

from aictl.data.cleaning import BadUnicode, clean


@pytest.mark.parametrize(
    ("dirty", "wanted", "counted"),
    [
        ("plain", "plain", {}),
        ("  a\n\tb \n\n", "a\n\tb", {"trimmed"}),
        ("a\r\nb\rc", "a\nb\nc", {"newlines"}),
        ("a\x00b\x07c\x7f\td\ne", "abc\td\ne", {"control_characters"}),
        ("é\x01ü", "éü", {"control_characters"}),
        ("a\x85b\x9bc", "abc", {"control_characters"}),
        ("cafe\u0301", "caf\u00e9", {"normalized"}),
        ("e\u0301\x02 ", "\u00e9", {"normalized", "control_characters", "trimmed"}),
        ("日本語 🙂\u200d", "日本語 🙂\u200d", {}),
        ("\u00c2\u00a0x", "\u00c2\u00a0x", {}),
        ("", "", {}),
    ],
)
def test_every_change_is_counted_and_nothing_else_changes(dirty, wanted, counted):
    counts = Counter()
    assert clean(dirty, counts) == wanted
    assert {name for name, count in counts.items() if count} == set(counted)


def test_cleaning_twice_changes_nothing_more():
    once = clean(" \x01e\u0301\r\n\x0c x\x85 \n", Counter())
    counts = Counter()
    assert clean(once, counts) == once
    assert not counts.total()


def test_half_a_surrogate_pair_is_no_text():
    with pytest.raises(BadUnicode, match=r"U\+D83D"):
        clean("smile \ud83d", Counter())

"""Records on a terminal: folded to the window, cut where asked, marked, and unable to steer it."""

from __future__ import annotations

from aictl.cli.records import fold, lines
from aictl.cli.table import cells_of
from aictl.core.answer import Item, Passage


def texts(passage: Passage, width: int) -> list[str]:
    return ["".join(text for text, _ in row) for row in fold(passage, width)]


def test_text_is_folded_at_spaces_and_loses_nothing():
    text = "some words that are longer than a row\n\n    indented\nunbreakable" + "x" * 50
    rows = texts(Passage(text), 12)
    assert all(cells_of(row.rstrip()) <= 12 for row in rows)
    assert "".join(rows) == text.replace("\n", "")
    assert "" in rows and "    indented" in rows


def test_wide_letters_take_two_columns():
    rows = texts(Passage("漢字" * 10), 8)
    assert all(cells_of(row) <= 8 for row in rows) and "".join(rows) == "漢字" * 10


def test_marks_go_on_in_the_next_row():
    rows = list(fold(Passage("aaa bbb ccc ddd", marks=[(4, 11), (12, 13)]), 8))
    assert rows == [
        [("aaa ", False), ("bbb ", True)],
        [("ccc", True), (" ", False), ("d", True), ("dd", False)],
    ]


def test_what_would_steer_the_terminal_is_replaced():
    (row,) = texts(Passage("a\x1b[31mb\x07\u202ec\td"), 80)
    assert row == "a�[31mb�\ufffdc    d"
    shown = lines(Item({}, "\x1b[2Jname", "about"), 80, None, colour=False)
    assert shown == ["�[2Jname  about"]


def test_an_item_is_cut_to_its_rows():
    item = Item({}, "a.txt", "3 turns", [Passage("one\ntwo", "user"), Passage("three\nfour\nfive", "assistant")])
    assert lines(item, 60, None, colour=False) == [
        "a.txt  3 turns",
        "  user       one",
        "             two",
        "  assistant  three",
        "             four",
        "             five",
    ]
    cut = lines(item, 60, 4, colour=False)
    assert len(cut) == 5 and cut[-1].strip() == "…" and "five" not in "".join(cut)
    assert lines(item, 60, 5, colour=False) == lines(item, 60, None, colour=False)
    assert "\x1b[1ma.txt\x1b[0m" in lines(item, 60, 4, colour=True)[0]


def test_a_text_that_ends_in_line_breaks_ends_there():
    assert lines(Item({}, "t", "", [Passage("a\n\n\n")]), 40, None, colour=False) == ["t", "  a"]

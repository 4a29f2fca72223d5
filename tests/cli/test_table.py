"""Tables as wide as the terminal: what is left out, what is cut, and what is never broken."""

from __future__ import annotations

import pytest

from aictl.cli.table import cells_of, draw
from aictl.core.answer import Table

COLUMNS = ("kind", "name", "state", "size", "made", "id", "about")
ROWS = [
    (
        "checkpoint",
        "base@1",
        "fresh",
        "17.1 MB",
        "2030-01-02 03:04",
        "fbe9f18bfc6e",
        "4.2M parameters, perplexity 86.8",
    ),
    ("dataset", "документы@1", "stale", "9 kB", "2030-01-02 03:03", "ec24c90f2618", "notes/ has changed"),
]
LISTING = Table(COLUMNS, ROWS, styles={"state": {"stale": "yellow"}}, spare=("id", "made", "size"), cut="about")


def drawn(table: Table, width: int, *, colour: bool = False) -> list[str]:
    return draw(table, table.rows, width, colour=colour).splitlines()


def test_a_wide_terminal_shows_all_there_is():
    lines = drawn(LISTING, 160)
    assert lines[0].split() == list(COLUMNS)
    for line, row in zip(lines[2:], ROWS, strict=True):
        assert all(value in line for value in row)


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (110, COLUMNS),
        (90, ("kind", "name", "state", "size", "made", "about")),
        (70, ("kind", "name", "state", "size", "about")),
        (58, ("kind", "name", "state", "about")),
    ],
)
def test_a_narrow_one_leaves_out_the_least_important_first(width, columns):
    lines = drawn(LISTING, width)
    assert tuple(lines[0].split()) == columns
    assert len(lines) == 2 + len(ROWS) and all(cells_of(line) <= width for line in lines)
    for line, row in zip(lines[2:], ROWS, strict=True):
        assert line.split()[:3] == list(row[:3])
    assert ("…" in lines[2]) == (width < 106) and "notes/ has changed" in lines[3]


def test_what_is_cut_is_cut_where_a_terminal_ends():
    (line,) = drawn(LISTING._replace(rows=ROWS[:1]), 98)[2:]
    assert len(line) <= 98 and line.endswith("…") and line.startswith("checkpoint  base@1  fresh  17.1 MB  2030")


def test_names_are_whole_where_nothing_fits():
    lines = drawn(LISTING, 20)
    assert lines[0].split() == ["kind", "name", "state", "about"]
    assert "документы@1" in lines[3] and "checkpoint" in lines[2]


def test_other_tables_go_on_in_the_line_below():
    path = "/home/somebody/" + "folder/" * 4
    rows = [("data.prep", "help", "drop documents that are shorter than this many characters", path)]
    lines = drawn(Table(("command", "option", "value", "from"), rows), 80)
    assert len(lines) > 3 and path in lines[2]
    words = " ".join(line[19:].replace(path, "") for line in lines[2:]).split()
    assert words == rows[0][2].split()
    assert all(cells_of(line) <= 80 for line in lines)


def test_wide_letters_take_two_columns():
    assert (cells_of("注释"), cells_of("ñ"), cells_of("n\u0303")) == (4, 1, 1)
    rows = [("注释@1", "x"), ("ab", "y")]
    first, second = drawn(Table(("name", "more"), rows), 40)[2:]
    assert first == "注释@1  x" and second == "ab      y"


def test_colour_is_for_the_words_that_have_one():
    coloured, plain = drawn(LISTING, 160, colour=True), drawn(LISTING, 160)
    assert "\x1b[33mstale\x1b[0m" in coloured[3] and "\x1b" not in coloured[2]
    assert "\x1b" not in "".join(plain)


def test_a_value_cannot_steer_the_terminal():
    (line,) = drawn(Table(("name",), [("\x1b[2Jgone\nbelow",)]), 40)[2:]
    assert line == "\ufffd[2Jgone below"

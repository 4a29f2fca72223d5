"""A chart of characters: where its dots lie, what its axes say, and that it fits everywhere."""

from __future__ import annotations

import io
import math
from itertools import pairwise

import pytest
from rich.console import Console

from aictl.cli.sinks.chart import MARK, Chart


def rows_of(chart: Chart, width: int, height: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(chart, height=height)
    return console.file.getvalue().splitlines()


def test_a_falling_line():
    assert rows_of(Chart([(step, 4 - step) for step in range(5)]), 22, 7) == [
        "4┤⠑⠢⢄⡀┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈",
        " │   ⠈⠉⠒⠤⣀            ",
        "2┤┈┈┈┈┈┈┈┈⠉⠒⠤⣀┈┈┈┈┈┈┈┈",
        " │            ⠉⠒⠤⣀⡀   ",
        "0┤┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈⠈⠑⠢⢄",
        " └┬─────────┬────────┬",
        "  0         2        4",
    ]


def test_marks_stand_where_they_were_measured():
    rows = rows_of(Chart([(0, 0.0), (100, 10.0)], marks=[(0, 10.0), (100, 0.0)]), 40, 12)
    places = [(row, text.index(MARK)) for row, text in enumerate(rows) if MARK in text]
    assert [row for row, _ in places] == [0, 9]
    assert rows[9].endswith(MARK) and rows[0].split("┤")[1].startswith(MARK)


def test_a_column_is_the_mean_of_what_falls_into_it():
    """Values from 0 to 10 in turn are a line at 5, at the height of the tick that says so."""
    noisy = Chart([(step, 10.0 * (step % 2)) for step in range(4000)], marks=[(0, 0.0), (3999, 10.0)])
    rows = rows_of(noisy, 60, 13)
    drawn = [row for row in rows if any(0x2800 < ord(sign) < 0x2900 for sign in row)]
    assert len(drawn) == 1 and drawn[0].lstrip().startswith("5┤")


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([0.0, 3e-4], {"0", "0.0001", "0.0002", "0.0003"}),
        ([1e-6, 4e-6], {"1e-6", "2e-6", "3e-6", "4e-6"}),
        ([0.0, 4_000.0], {"0", "2,000", "4,000"}),
        ([2e6, 8e6], {"2e6", "4e6", "6e6", "8e6"}),
        ([-1.0, 1.0], {"-1", "0", "1"}),
    ],
)
def test_few_round_numbers_on_the_axis(values, names):
    rows = rows_of(Chart(list(enumerate(values))), 60, 14)
    assert {row.partition("┤")[0].strip() for row in rows if "┤" in row} == names


def test_a_measured_line_that_falls_by_decades_has_a_logarithmic_axis():
    line = [(step, 10 ** (1 - step / 100)) for step in range(301)]
    rows = rows_of(Chart(line, marks=[(0, 0.1)], rough=True), 60, 14)
    names = {row.partition("┤")[0].strip(): at for at, row in enumerate(rows) if "┤" in row}
    assert list(names) == ["10", "1", "0.1", "0.01"]
    apart = [later - sooner for sooner, later in pairwise(names.values())]
    assert max(apart) - min(apart) <= 1 and MARK in rows[names["0.1"]]
    assert "0.01" not in "".join(rows_of(Chart(line), 60, 14))


@pytest.mark.parametrize("width", [1, 19, 20, 33, 80, 300])
@pytest.mark.parametrize("height", [1, 3, 4, 10, 60])
@pytest.mark.parametrize(
    "line",
    [
        [],
        [(7, 3.2)],
        [(0, 0.0), (1, 0.0)],
        [(step, math.sin(step)) for step in range(2000)],
        [(0, 1e300), (10**9, -1e300)],
        [(step, 1e-320 * step) for step in range(3)],
    ],
)
def test_it_fits_whatever_is_drawn(line, width, height):
    rows = rows_of(Chart(line, marks=line[:1], rough=True), width, height)
    assert len(rows) <= height and all(len(row) <= width for row in rows)
    if line and width >= 20 and height >= 4:
        assert len(rows) == height and all(len(row) == width for row in rows)

"""Charts, by the marks that they are made of."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from aictl.pages.charts import WIDTH, Band, Bar, Level, bars, curve, histogram, parts, waterfall


def rectangles(chart, kind):
    names = ("x", "y", "width", "height")
    every = ElementTree.fromstring(chart).iter("rect")
    return [{name: float(one.get(name)) for name in names} for one in every if one.get("class") == kind]


def test_a_waterfall_is_in_proportion():
    chart = waterfall([Level("read", 1000, 1000), Level("clean", 500, 1000), Level("sift", 0, 500)], "steps")
    first, second, third = rectangles(chart, "kept")
    assert second["width"] == pytest.approx(first["width"] / 2, abs=0.1) and third["width"] == 0
    gone = rectangles(chart, "gone")
    assert [one["width"] for one in gone] == [first["width"], second["width"]], "as wide as what was there before"
    assert "−500 (50 %)" in chart and "−500 (100 %)" in chart


def test_the_area_of_a_histogram_is_the_number():
    bands = [Band(1, 10, 30), Band(10, 1000, 60), Band(1000, 1001, 5)]
    drawn = rectangles(histogram(bands, [("half", 10)], "lengths"), "kept")
    areas = [(one["width"] + 1) * one["height"] / band.number for one, band in zip(drawn, bands, strict=True)]
    assert areas[0] == pytest.approx(areas[1], rel=0.01)
    assert drawn[1]["width"] == pytest.approx(2 * drawn[0]["width"], rel=0.02), "two decades, and one"


@pytest.mark.parametrize(
    "chart",
    [
        waterfall([], "none"),
        waterfall([Level("read", 0, 0)], "nothing"),
        bars([], "none"),
        bars([Bar("a", 0)], "zero"),
        bars([Bar("<b>&'\"" * 40, 10**15, "much")], "long"),
        histogram([Band(0, 1, 5)], [("half", 0)], "empty documents"),
        histogram([Band(7, 8, 1)], [("5 %", 7), ("half", 7), ("95 %", 7)], "one"),
        histogram([Band(0, 1, 5), Band(1, 10**9, 2)], [("half", 0), ("95 %", 10**8)], "wide"),
        parts([], "none"),
        parts([Bar("a", 0), Bar("b", 0)], "zeros"),
        curve([(1, 1)], "a point", ("x", "y")),
        curve([(10, 3), (10**7, 10**4)], "two", ("x", "y")),
    ],
)
def test_whatever_the_numbers_it_is_a_picture(chart):
    found = ElementTree.fromstring(chart)
    assert found.find("svg").get("role") == "img"
    numbers = [float(text) for text in re.findall(r' (?:x|y|width|height|x1|x2|y1|y2|cx|cy)="([^"]*)"', chart)]
    assert all(-1 <= number <= max(WIDTH + 1, 2000) for number in numbers)

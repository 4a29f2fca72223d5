"""Charts as files that browsers read: well-formed, the same every time, with their words as text."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import pytest

from aictl.measure.plot import Chart, Series, save, size

pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'aictl[plots]'")

SVG = "{http://www.w3.org/2000/svg}"
CHART = Chart(
    "Speed & size <of things>",
    "message size",
    "GB/s",
    [
        Series("measured", [1024, 4096, 16384], [0.5, 1.0, 4.0]),
        Series("roof", [1024, 16384], [5.0, 5.0], "dashed"),
        Series("", [2048], [0.7], "points", 1, ["here"]),
    ],
    x_log=True,
    y_log=True,
    bytes_on_x=True,
    note="a note",
)


def texts(path):
    return [element.text for element in ElementTree.parse(path).iter(f"{SVG}text")]


def test_a_chart_is_well_formed_and_its_words_are_text(tmp_path):
    save(CHART, tmp_path / "a.svg")
    said = texts(tmp_path / "a.svg")
    for word in ("Speed & size <of things>", "message size", "GB/s", "measured", "roof", "here", "a note", "4 KiB"):
        assert word in said
    assert not [text for text in said if text and text.startswith("_")], "a series without a label has no legend"


def test_every_point_is_drawn_and_every_series_has_its_own_mark(tmp_path):
    save(CHART, tmp_path / "a.svg")
    groups = {one.get("id"): one for one in ElementTree.parse(tmp_path / "a.svg").iter(f"{SVG}g")}
    marks = {name: list(groups[name].iter(f"{SVG}use")) for name in ("series-0", "series-1", "series-2")}
    assert [len(found) for found in marks.values()] == [3, 0, 1]
    assert "stroke-dasharray" in ElementTree.tostring(groups["series-1"], "unicode")


def test_the_same_chart_is_the_same_bytes_in_another_process(tmp_path):
    save(CHART, tmp_path / "a.svg")
    script = (
        "import sys; from pathlib import Path; from aictl.measure.plot import Chart, Series, save\n"
        f"save({CHART!r}, Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "b.svg"], check=True, timeout=120)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_several_charts_stand_side_by_side(tmp_path):
    save([CHART, CHART._replace(title="Another")], tmp_path / "a.svg")
    assert {"Speed & size <of things>", "Another"} <= set(texts(tmp_path / "a.svg"))


def test_within_two_powers_of_ten_an_axis_has_more_numbers_and_none_is_a_power(tmp_path):
    save(Chart("t", "x", "y", [Series("s", [1, 2], [2000, 40000])], y_log=True), tmp_path / "a.svg")
    assert {"2,000", "5,000", "10,000", "20,000"} <= set(texts(tmp_path / "a.svg"))


@pytest.mark.parametrize(("value", "text"), [(512, "512 B"), (2**16, "64 KiB"), (2**30, "1 GiB"), (2**41, "2048 GiB")])
def test_powers_of_two_are_written_with_their_unit(value, text):
    assert size(value) == text


def test_importing_the_room_does_not_import_matplotlib():
    script = "import sys, aictl.measure.plot; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"

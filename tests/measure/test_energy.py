"""What the processors' counters say between two readings, also when one starts anew."""

from __future__ import annotations

import pytest

from aictl.measure.energy import joules, packages


@pytest.fixture
def counters(tmp_path):
    def write(zone: str, counted: int, most: int = 1_000_000) -> None:
        folder = tmp_path / zone
        folder.mkdir(exist_ok=True)
        (folder / "energy_uj").write_text(f"{counted}\n")
        (folder / "max_energy_range_uj").write_text(f"{most}\n")

    return write


def test_packages_are_added_and_their_parts_are_not(tmp_path, counters):
    for zone in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        counters(zone, 100_000)
    before = packages(tmp_path)
    assert set(before) == {"intel-rapl:0", "intel-rapl:1"}
    counters("intel-rapl:0", 600_000)
    counters("intel-rapl:1", 50_000)  # past its end once
    assert joules(before, packages(tmp_path)) == pytest.approx(0.5 + 0.95)


def test_without_counters_nothing_is_made_up(tmp_path):
    (tmp_path / "intel-rapl:0").mkdir()
    assert packages(tmp_path) == {}
    assert joules({}, {}) is None

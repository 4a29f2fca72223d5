"""The settings of a benchmark."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from aictl.hw.bench.spec import PARTS, BenchSpec


def test_left_out_every_part_is_measured():
    assert BenchSpec().parts == PARTS


@pytest.mark.parametrize("given", ["gemm, memory", ["gemm,memory"], ["memory", "gemm"]])
def test_parts_are_words_or_a_list_with_commas(given):
    assert BenchSpec(only=given).parts == ("gemm", "memory")


@pytest.mark.parametrize(
    "bad",
    [
        {"only": ["gem"]},
        {"budget_s": 0},
        {"threads": 0},
        {"memory_share": 0.9},
        {"ranks": 1},
        {"disk_mib": 1},
        {"join_timeout_s": float("inf")},
        {"nope": 1},
    ],
)
def test_what_makes_no_sense_is_refused(bad):
    with pytest.raises(ValidationError):
        BenchSpec(**bad)


def test_quick_takes_less_of_everything_and_what_is_said_holds_all_the_same():
    slow, quick = BenchSpec(), BenchSpec(quick=True)
    assert quick.seconds < slow.seconds
    assert quick.disk_bytes < slow.disk_bytes
    assert BenchSpec(quick=True, budget_s=3, disk_mib=8).seconds == 3
    assert BenchSpec(quick=True, disk_mib=8).disk_bytes == 8 * 2**20

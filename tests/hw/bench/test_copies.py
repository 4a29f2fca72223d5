"""Copies between host and GPU."""

from __future__ import annotations

import pytest
import torch

from aictl.hw.bench import copies
from aictl.hw.bench.devices import devices


def test_a_processor_copies_to_nothing():
    assert copies.measure(devices(["cpu"], 1, 0.1)[0], budget_s=0.01) == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
def test_both_directions_are_measured_and_pinned_memory_is_no_slower():
    rows = copies.measure(devices(["cuda:0"], None, 0.2)[0], budget_s=0.1)
    assert {(row["from"], row["to"]) for row in rows} == {("cpu", "cuda:0"), ("cuda:0", "cpu")}
    largest = {(row["from"], row["memory"]): row["bytes_per_s"] for row in rows if row["bytes"] == 2**28}
    assert largest["cpu", "pinned"] > 0.9 * largest["cpu", "pageable"]

"""Memory: the kernels do STREAM's work, on arrays as large as STREAM's rule, within the share."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from aictl.hw.bench import memory
from aictl.hw.bench.devices import Device, devices

MIB = 2**20


def device(usable, cache=32 * MIB, threads=2):
    return Device("cpu", None, 2**40, usable, cache, threads)


def test_the_four_kernels_do_what_stream_s_do():
    place = memory.arrays(1000)
    a, b, c = place
    calls = memory.kernels(*map(torch.from_numpy, place))
    for name in ("copy", "scale", "add", "triad"):
        calls[name]()
    assert (c == 1.0 + 3.0).all()  # copy: c = a, and then add: c = a + b
    assert (b == 3.0).all()  # scale: b = 3 c
    assert (a == 3.0 + 3.0 * 4.0).all()  # triad: a = b + 3 c
    assert calls["read"]().item() == a.sum()


def test_arrays_do_not_begin_at_the_same_place_in_a_page():
    starts = {array.__array_interface__["data"][0] % 4096 for array in memory.arrays(4096)}
    assert len(starts) == 3


def test_arrays_keep_stream_s_rule_where_the_share_allows():
    assert memory.array_bytes(device(2**33)) == (128 * MIB, True)
    assert memory.array_bytes(device(2**33, cache=256 * MIB)) == (1024 * MIB, True)


def test_a_small_share_makes_small_arrays_and_says_so():
    size, ruled = memory.array_bytes(device(96 * MIB))
    assert 3 * size <= 96 * MIB
    assert not ruled
    _, notes = memory.measure(device(3 * MIB, threads=1), budget_s=0.001, quick=True)
    assert "less than 4 times the last-level cache" in notes[0]


def test_every_kernel_is_measured_with_all_threads_and_with_one_and_the_curve_goes_up():
    rows, notes = memory.measure(device(2**33, cache=0), budget_s=0.01, quick=True, array=2 * MIB)
    assert not notes
    stream = [row for row in rows if row["main_memory"]]
    assert [(row["kernel"], row["threads"]) for row in stream] == [(k, n) for n in (2, 1) for k in memory.BYTES]
    curve = [row["working_set_bytes"] for row in rows if not row["main_memory"] and row["kernel"] == "read"]
    assert curve == sorted(curve) and len(curve) >= 2
    assert memory.sustained(rows) == next(row["bytes_per_s"] for row in rows if row["kernel"] == "triad")
    assert all(row["bytes_per_s"] > 0 for row in rows)


def test_bytes_are_counted_as_stream_counts_them(monkeypatch):
    monkeypatch.setattr(memory, "repeat", lambda sample, **_: memory_figure(2.0))
    row = memory._row("triad", None, 1.0, elements=1000, threads=1)
    assert row["bytes_per_s"] == 24 * 1000 / 2.0
    assert row["working_set_bytes"] == 24000


def memory_figure(seconds):
    from aictl.hw.bench.repeat import Figure

    return Figure(seconds, 0.0, 6)


def test_a_crew_s_time_is_from_the_first_start_to_the_last_end():
    import time

    with memory.crew(2) as together:
        assert together([lambda: time.sleep(0.05), lambda: None]) >= 0.05
        assert torch.get_num_threads() >= 1


def test_scaling_in_caches_goes_over_the_same_elements_again_and_again():
    from numpy.lib.stride_tricks import as_strided

    source, target = np.full(8, 2.0), np.zeros(8)
    memory._scaling(*(as_strided(one, (5, 8), (0, 8)) for one in (source, target)))()
    assert (target == 6.0).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
def test_a_gpu_s_memory_is_faster_than_a_bus():
    gpu = devices(["cuda:0"], None, 0.3)[0]
    rows, _ = memory.measure(gpu, budget_s=0.05, quick=True)
    assert {row["kernel"] for row in rows if row["main_memory"]} == set(memory.BYTES)
    assert memory.sustained(rows) > 1e11

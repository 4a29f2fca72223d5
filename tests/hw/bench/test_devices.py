"""Which devices there are, and how much of their memory may be taken."""

from __future__ import annotations

import pytest
import torch

from aictl.core.errors import MachineLacks
from aictl.hw.bench import devices as room
from aictl.hw.bench.devices import devices, sample_of, torch_threads

MEMINFO = "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n"


def test_a_device_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(MachineLacks, match="no device cuda:99 here; there are cpu"):
        devices(["cpu", "cuda:99"], None, 0.25)


def test_a_share_of_what_is_free_may_be_taken(machine):
    root = machine({"proc/meminfo": MEMINFO})
    found = room.devices(["cpu"], None, 0.25, root)[0]
    assert (found.memory_bytes, found.usable_bytes) == (2**34, 2**31)


def test_a_container_s_limit_is_the_memory_and_what_it_holds_is_not_free(machine):
    root = machine(
        {
            "proc/meminfo": MEMINFO,
            "sys/fs/cgroup/memory.max": str(2**30),
            "sys/fs/cgroup/memory.current": str(2**29),
        }
    )
    found = room.devices(["cpu"], None, 0.5, root)[0]
    assert (found.memory_bytes, found.usable_bytes) == (2**30, 2**28)


def test_the_last_level_cache_is_that_of_the_whole_machine(machine):
    files = {"sys/devices/system/cpu/online": "0-3"}
    for number, pair in enumerate(("0-1", "0-1", "2-3", "2-3")):
        cache = f"sys/devices/system/cpu/cpu{number}/cache"
        files |= {f"{cache}/index0/level": "1", f"{cache}/index0/type": "Data", f"{cache}/index0/size": "32K"}
        files |= {f"{cache}/index3/level": "3", f"{cache}/index3/type": "Unified", f"{cache}/index3/size": "16M"}
        files |= {f"{cache}/index0/shared_cpu_list": str(number), f"{cache}/index3/shared_cpu_list": pair}
    assert room.devices(["cpu"], None, 0.25, machine(files))[0].cache_bytes == 2 * 16 * 2**20


def test_torch_s_threads_are_put_back():
    before = torch.get_num_threads()
    with pytest.raises(KeyError), torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise KeyError
    assert torch.get_num_threads() == before


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
def test_a_gpu_s_work_is_timed_to_its_end():
    gpu = devices(["cuda:0"], None, 0.2)[0]
    one = torch.randn(8192, 8192, device="cuda:0")
    sample = sample_of(gpu, lambda: torch.mm(one, one))
    sample(1)
    assert sample(1) > 2 * 8192**3 / 4e15

"""Processors of several makes, and none at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from aictl.hw import cpu
from aictl.hw.files import parse_list, parse_size


def cpuinfo(count, flags, sockets=1):
    blocks = [
        f"processor\t: {number}\nmodel name\t: Test CPU 9000\nphysical id\t: {number % sockets}\n"
        f"core id\t\t: {number // 2}\nflags\t\t: fpu {flags}\n"
        for number in range(count)
    ]
    return "\n".join(blocks)


def test_a_server_with_two_threads_per_core_and_two_nodes(machine):
    cpus = "sys/devices/system/cpu"
    files = {"proc/cpuinfo": cpuinfo(8, "avx2 avx512f avx512_vnni amx_tile amx_bf16", 2), f"{cpus}/online": "0-7\n"}
    for number in range(8):
        files[f"{cpus}/cpu{number}/topology/thread_siblings_list"] = f"{number % 4},{number % 4 + 4}"
    files |= {
        f"{cpus}/cpu0/cache/index0/size": "48K",
        f"{cpus}/cpu0/cache/index0/level": "1",
        f"{cpus}/cpu0/cache/index0/type": "Data",
        f"{cpus}/cpu0/cache/index0/shared_cpu_list": "0,4",
        f"{cpus}/cpu0/cpufreq/cpuinfo_max_freq": "3500000",
        "sys/devices/system/node/node0/cpulist": "0-1,4-5",
        "sys/devices/system/node/node0/meminfo": "Node 0 MemTotal:       1024 kB\nNode 0 MemFree: 5 kB",
        "sys/devices/system/node/node1/cpulist": "2-3,6-7",
        "sys/devices/system/node/node10/cpulist": "",
        "sys/fs/cgroup/cpu.max": "250000 100000",
    }
    facts = cpu.probe(machine(files))
    assert facts["model"] == "Test CPU 9000"
    assert (facts["sockets"], facts["cores"], facts["threads"], facts["smt"]) == (2, 4, 8, True)
    assert (facts["quota_cpus"], facts["usable_threads"], facts["max_mhz"]) == (2.5, 2, 3500)
    assert facts["features"] == ["AVX2", "AVX512", "VNNI", "BF16", "AMX", "AMX_BF16"]
    (cache,) = facts["caches"]
    assert cache == {"level": 1, "type": "Data", "size_bytes": 48 * 1024, "shared_by_threads": 2, "instances": 1}
    assert [(one["node"], one["threads"], one["memory_bytes"]) for one in facts["numa"]] == [
        (0, 4, 1024 * 1024),
        (1, 4, None),
        (10, 0, None),
    ]


def test_an_arm_processor(machine):
    text = "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm bf16 sve\n\nprocessor\t: 1\nFeatures\t: fp asimd\n"
    facts = cpu.probe(machine({"proc/cpuinfo": text}))
    assert facts["features"] == ["BF16", "NEON", "DOTPROD", "I8MM", "SVE"]
    assert (facts["cores"], facts["threads"]) == (2, 2)


def test_two_sockets_with_amx(machine):
    facts = cpu.probe(machine("gpu-server"))
    assert (facts["sockets"], facts["cores"], facts["threads"], facts["smt"]) == (2, 2, 4, True)
    assert {"AVX2", "AVX512", "VNNI", "BF16", "AMX", "AMX_INT8"} <= set(facts["features"])
    assert (facts["governor"], facts["virtual"], facts["caches"][0]["instances"]) == ("powersave", False, 2)
    assert [(one["cpus"], one["distances"]) for one in facts["numa"]] == [("0,2", [10, 21]), ("1,3", [21, 10])]


def test_a_pod_may_use_what_its_quota_leaves(machine):
    facts = cpu.probe(machine("amx-pod"))
    assert (facts["threads"], facts["usable_threads"], facts["quota_cpus"]) == (4, 1, 1.5)
    assert "AMX_FP16" in facts["features"]


@pytest.mark.parametrize("quota", ["max 100000", "", "nonsense", "100000 0"])
def test_no_quota(machine, quota):
    assert cpu.quota_cpus(machine({"sys/fs/cgroup/cpu.max": quota})) is None


def test_a_quota_of_version_1(machine):
    files = {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}
    root = machine(files)
    assert cpu.quota_cpus(root) == 0.5
    assert cpu.probe(root)["usable_threads"] >= 1


def test_an_empty_root_and_this_machine(machine):
    for root in (machine({}), Path("/")):
        facts = cpu.probe(root)
        assert facts["threads"] >= facts["usable_threads"] >= 1
        assert facts["cores"] >= 1


def test_lists_and_sizes_of_the_kernel():
    assert parse_list("0-3,8,10-11\n") == [0, 1, 2, 3, 8, 10, 11]
    assert parse_list("") == parse_list(None) == parse_list("x-,y") == []
    assert [parse_size(text) for text in ("32K", "8M", "512", "", None, "xK")] == [
        32768,
        8 * 2**20,
        512,
        None,
        None,
        None,
    ]

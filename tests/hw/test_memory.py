"""Memory, and what a control group leaves of it."""

from __future__ import annotations

from aictl.hw import cgroup, memory

MEMINFO = "MemTotal:       16384 kB\nMemFree:  1 kB\nMemAvailable:    8192 kB\nSwapTotal:  0 kB\nHugePages_Total:  7\n"


def test_totals_in_bytes_and_the_limit_of_a_container(machine):
    pages = "sys/kernel/mm/transparent_hugepage/enabled"
    root = machine(
        {"proc/meminfo": MEMINFO, "sys/fs/cgroup/memory.max": "4194304\n", pages: "always madvise [never]\n"}
    )
    assert memory.probe(root) == {
        "total_bytes": 16 * 2**20,
        "available_bytes": 8 * 2**20,
        "limit_bytes": 4 * 2**20,
        "swap_bytes": 0,
        "swap_free_bytes": None,
        "transparent_huge_pages": "never",
        "huge_pages": 7,
    }


def test_no_limit(machine):
    assert memory.probe(machine({"sys/fs/cgroup/memory.max": "max\n"}))["limit_bytes"] is None
    old = {"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}
    assert memory.probe(machine(old))["limit_bytes"] is None


def test_the_least_limit_on_the_way_up_holds(machine):
    facts = cgroup.probe(machine("amx-pod"))
    assert (facts["version"], facts["memory_limit_bytes"], facts["quota_cpus"]) == (2, 8 * 2**30, 1.5)
    assert (facts["memory_used_bytes"], facts["cpus"], facts["processes_limit"]) == (123456789, 4, 1024)
    assert (facts["memory_high_bytes"], facts["swap_limit_bytes"]) == (None, None)


def test_a_group_of_version_1(machine):
    root = machine(
        {
            "proc/self/cgroup": "4:memory:/job/7\n1:cpu,cpuacct:/job\n0::/",
            "sys/fs/cgroup/memory/job/7/memory.limit_in_bytes": "1048576",
            "sys/fs/cgroup/memory/job/7/memory.usage_in_bytes": "4096",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
        }
    )
    facts = cgroup.probe(root)
    assert (facts["version"], facts["memory_limit_bytes"], facts["memory_used_bytes"]) == (1, 1048576, 4096)


def test_what_is_not_told_is_none(machine):
    assert set(memory.probe(machine({})).values()) == {None}
    assert set(cgroup.probe(machine({})).values()) == {None}


def test_this_machine_has_memory():
    assert memory.probe()["total_bytes"] > 2**26

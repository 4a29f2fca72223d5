"""Memory and disk."""

from __future__ import annotations

from pathlib import Path

from aictl.hw import memory

MEMINFO = "MemTotal:       16384 kB\nMemFree:  1 kB\nMemAvailable:    8192 kB\nSwapTotal:  0 kB\nHugePages_Total:  0\n"


def test_totals_in_bytes_and_the_limit_of_a_container(machine):
    root = machine({"proc/meminfo": MEMINFO, "sys/fs/cgroup/memory.max": "4194304\n"})
    assert memory.probe(root) == {
        "total_bytes": 16 * 2**20,
        "available_bytes": 8 * 2**20,
        "swap_bytes": 0,
        "limit_bytes": 4 * 2**20,
    }


def test_no_limit(machine):
    assert memory.probe(machine({"sys/fs/cgroup/memory.max": "max\n"}))["limit_bytes"] is None
    old = {"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}
    assert memory.probe(machine(old))["limit_bytes"] is None


def test_what_is_not_told_is_none(machine):
    assert set(memory.probe(machine({})).values()) == {None}


def test_this_machine_has_memory_and_a_disk(tmp_path):
    assert memory.probe()["total_bytes"] > 2**26
    disk = memory.probe_disk(tmp_path)
    assert disk["total_bytes"] >= disk["free_bytes"] >= 0


def test_the_deepest_mount_gives_the_file_system(machine):
    mounts = "/dev/a / ext4 rw 0 0\n/dev/b /home xfs rw 0 0\n/dev/c /home/my\\040data nfs4 rw 0 0\nshort\n"
    root = machine({"proc/mounts": mounts})
    for folder, wanted in (("/usr", "ext4"), ("/home/x", "xfs"), ("/home/my data/y", "nfs4"), ("/homes", "ext4")):
        assert memory._filesystem(Path(folder), root) == wanted

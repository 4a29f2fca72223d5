"""The processor: model, cores, caches, NUMA nodes, and the instructions that decide which kernels run."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from aictl.hw.files import children, parse_list, parse_size, read, read_int

# Flags of /proc/cpuinfo by the name that libraries use. x86:
# https://docs.kernel.org/arch/x86/cpuinfo.html; arm64: https://docs.kernel.org/arch/arm64/elf_hwcaps.html
_FEATURES = {
    "AVX2": ("avx2",),
    "FMA": ("fma",),
    "F16C": ("f16c",),
    "AVX512": ("avx512f",),
    "VNNI": ("avx512_vnni", "avx_vnni"),
    "BF16": ("avx512_bf16", "amx_bf16", "bf16"),
    "FP16": ("avx512_fp16", "asimdhp"),
    "AMX": ("amx_tile",),
    "NEON": ("asimd", "neon"),
    "DOTPROD": ("asimddp",),
    "I8MM": ("i8mm",),
    "SVE": ("sve",),
    "SVE2": ("sve2",),
    "SME": ("sme",),
}


def probe(root: Path = Path("/")) -> dict[str, Any]:
    """Model, counts of cores and threads, features, caches and NUMA nodes.

    ``usable_threads`` is what this process may use: its affinity and, in a container, the quota of
    its control group. Sizes are in bytes.
    """
    blocks = _cpuinfo(root)
    first = blocks[0] if blocks else {}
    flags = set((first.get("flags") or first.get("Features") or "").split())
    cpus = root / "sys/devices/system/cpu"
    threads = len(parse_list(read(cpus / "online"))) or len(blocks) or os.cpu_count() or 1
    cores = _cores(blocks, cpus) or threads
    affinity = len(os.sched_getaffinity(0)) if root == Path("/") and hasattr(os, "sched_getaffinity") else threads
    quota = cgroup_cpus(root)
    return {
        "model": first.get("model name") or first.get("Processor") or platform.processor() or None,
        "architecture": platform.machine(),
        "sockets": len({block.get("physical id", "0") for block in blocks}) or 1,
        "cores": cores,
        "threads": threads,
        "smt": threads > cores,
        "usable_threads": max(1, min(threads, affinity, int(quota) if quota and quota >= 1 else threads)),
        "quota_cpus": quota,
        "max_mhz": (read_int(cpus / "cpu0/cpufreq/cpuinfo_max_freq") or 0) // 1000 or None,
        "features": [name for name, any_of in _FEATURES.items() if flags.intersection(any_of)],
        "caches": _caches(cpus / "cpu0/cache"),
        "numa": _numa(root),
    }


def cgroup_cpus(root: Path) -> float | None:
    """The processors' worth of time that the control group allows, version 2 or 1, or None."""
    quota, _, period = (read(root / "sys/fs/cgroup/cpu.max") or "").partition(" ")
    if not quota:
        quota = read(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us") or ""
        period = read(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us") or ""
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _cpuinfo(root: Path) -> list[dict[str, str]]:
    """One dictionary per logical processor."""
    blocks: list[dict[str, str]] = []
    for paragraph in (read(root / "proc/cpuinfo") or "").split("\n\n"):
        lines = [line.partition(":") for line in paragraph.splitlines()]
        block = {key.strip(): value.strip() for key, colon, value in lines if colon}
        if "processor" in block:
            blocks.append(block)
    return blocks


def _cores(blocks: list[dict[str, str]], cpus: Path) -> int:
    """Physical cores: distinct sets of siblings, or distinct pairs of socket and core."""
    siblings = {read(cpu / "topology/thread_siblings_list") for cpu in children(cpus, "cpu[0-9]*")} - {None}
    if siblings:
        return len(siblings)
    return len({(block.get("physical id", "0"), block["core id"]) for block in blocks if "core id" in block})


def _caches(folder: Path) -> list[dict[str, Any]]:
    caches = []
    for index in children(folder, "index*"):
        size = parse_size(read(index / "size"))
        if size:
            shared = len(parse_list(read(index / "shared_cpu_list"))) or 1
            level, kind = read_int(index / "level"), read(index / "type")
            caches.append({"level": level, "type": kind, "size_bytes": size, "shared_by_threads": shared})
    return caches


def _numa(root: Path) -> list[dict[str, Any]]:
    nodes = []
    for node in children(root / "sys/devices/system/node", "node[0-9]*"):
        total = (read(node / "meminfo") or "").partition("MemTotal:")[2].split()
        memory = int(total[0]) * 1024 if total and total[0].isdigit() else None
        threads = len(parse_list(read(node / "cpulist")))
        nodes.append({"node": int(node.name.removeprefix("node")), "threads": threads, "memory_bytes": memory})
    return nodes

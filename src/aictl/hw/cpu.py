"""The processor: model, cores, caches, NUMA nodes, and the instructions that decide which kernels run."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from aictl.hw.cgroup import quota_cpus
from aictl.hw.files import children, parse_list, parse_size, read, read_int

# Flags of /proc/cpuinfo by the name that libraries use. x86:
# https://docs.kernel.org/arch/x86/cpuinfo.html; arm64: https://docs.kernel.org/arch/arm64/elf_hwcaps.html
_FEATURES = {
    "AVX": ("avx",),
    "AVX2": ("avx2",),
    "FMA": ("fma",),
    "F16C": ("f16c",),
    "AVX512": ("avx512f",),
    "VNNI": ("avx512_vnni", "avx_vnni"),
    "BF16": ("avx512_bf16", "amx_bf16", "bf16"),
    "FP16": ("avx512_fp16", "asimdhp"),
    "AMX": ("amx_tile",),
    "AMX_BF16": ("amx_bf16",),
    "AMX_INT8": ("amx_int8",),
    "AMX_FP16": ("amx_fp16",),
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
    quota = quota_cpus(root)
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
        "governor": read(cpus / "cpu0/cpufreq/scaling_governor"),
        "virtual": "hypervisor" in flags,
        "features": [name for name, any_of in _FEATURES.items() if flags.intersection(any_of)],
        "avx512": sorted(flag for flag in flags if flag.startswith("avx512")),
        "caches": _caches(cpus),
        "numa": _numa(root),
    }


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


def _caches(cpus: Path) -> list[dict[str, Any]]:
    """Each cache that the first processor reaches, and how many of its like the machine has."""
    caches = []
    for index in children(cpus / "cpu0/cache", "index*"):
        size = parse_size(read(index / "size"))
        if not size:
            continue
        shared = {read(cpu / "cache" / index.name / "shared_cpu_list") for cpu in children(cpus, "cpu[0-9]*")} - {None}
        caches.append(
            {
                "level": read_int(index / "level"),
                "type": read(index / "type"),
                "size_bytes": size,
                "shared_by_threads": len(parse_list(read(index / "shared_cpu_list"))) or 1,
                "instances": len(shared) or 1,
            }
        )
    return caches


def _numa(root: Path) -> list[dict[str, Any]]:
    nodes = []
    for node in children(root / "sys/devices/system/node", "node[0-9]*"):
        total = (read(node / "meminfo") or "").partition("MemTotal:")[2].split()
        cpus = read(node / "cpulist") or ""
        nodes.append(
            {
                "node": int(node.name.removeprefix("node")),
                "threads": len(parse_list(cpus)),
                "cpus": cpus,
                "memory_bytes": int(total[0]) * 1024 if total and total[0].isdigit() else None,
                "distances": [int(word) for word in (read(node / "distance") or "").split() if word.isdigit()],
            }
        )
    return nodes

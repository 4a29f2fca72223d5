"""AMD's GPUs as the amdgpu driver shows them in sysfs
(https://docs.kernel.org/gpu/amdgpu/driver-misc.html)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from aictl.hw.files import children, read, read_int

_XGMI = 11  # io_link type of AMD's own links between GPUs: include/uapi/linux/kfd_sysfs.h


def facts(folder: Path) -> dict[str, Any]:
    """Memory, clocks, power, temperature and partitions of one GPU; None for what its driver keeps
    to itself."""
    total, used = read_int(folder / "mem_info_vram_total"), read_int(folder / "mem_info_vram_used")
    return {
        "name": read(folder / "product_name") or None,
        "memory_bytes": total,
        "memory_used_bytes": used,
        "utilization_percent": read_int(folder / "gpu_busy_percent"),
        "power_draw_w": _sensor(folder, 1e6, "power1_average", "power1_input"),
        "power_limit_w": _sensor(folder, 1e6, "power1_cap"),
        "temperature_c": _sensor(folder, 1e3, "temp1_input"),
        "sm_mhz": _clock(read(folder / "pp_dpm_sclk"), now=True),
        "max_sm_mhz": _clock(read(folder / "pp_dpm_sclk"), now=False),
        "compute_partition": read(folder / "current_compute_partition"),
        "memory_partition": read(folder / "current_memory_partition"),
        "ecc_uncorrected": _uncorrected(read(folder / "ras/umc_err_count")),
    }


def links(root: Path) -> list[tuple[str, str]]:
    """Pairs of GPUs, by bus, that XGMI (Infinity Fabric) joins."""
    nodes = {node.name: node for node in children(root / "sys/class/kfd/kfd/topology/nodes")}
    buses = {number: _bus(_properties(node)) for number, node in nodes.items()}
    found = []
    for number, node in nodes.items():
        for link in children(node / "io_links"):
            about = _properties(link)
            there = buses.get(str(about.get("node_to")))
            here = buses[number]
            if about.get("type") == _XGMI and here and there:
                found.append((here, there))
    return found


def _sensor(folder: Path, scale: float, *names: str) -> float | None:
    for monitor in children(folder / "hwmon"):
        for name in names:
            if (value := read_int(monitor / name)) is not None:
                return value / scale
    return None


def _clock(states: str | None, *, now: bool) -> int | None:
    """A table such as ``0: 500Mhz\\n1: 1700Mhz *``: the line with the star, or the fastest."""
    lines = [line for line in (states or "").splitlines() if "*" in line or not now]
    speeds = [int(found[1]) for line in lines if (found := re.search(r"(\d+)\s*mhz", line, re.IGNORECASE))]
    return max(speeds, default=None)


def _uncorrected(text: str | None) -> int | None:
    found = re.search(r"ue:?\s*(\d+)", text or "")
    return int(found[1]) if found else None


def _properties(folder: Path) -> dict[str, int]:
    rows = [line.split() for line in (read(folder / "properties") or "").splitlines()]
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


def _bus(properties: dict[str, int]) -> str | None:
    """kfd packs bus, device and function into one number; a node without one is a processor."""
    place = properties.get("location_id")
    if not place:
        return None
    return f"{properties.get('domain', 0):04x}:{place >> 8:02x}:{place >> 3 & 31:02x}.{place & 7}"

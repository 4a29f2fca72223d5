"""Accelerators: what sits on the PCI bus, what has a driver, and what NVIDIA's library says of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from aictl.hw import nvidia
from aictl.hw.files import children, read, read_int

# PCI vendors (https://pci-ids.ucw.cz) that make accelerators.
_VENDORS = {0x10DE: "nvidia", 0x1002: "amd", 0x8086: "intel", 0x1AE0: "google"}
# PCI base classes 03, display controller, and 12, processing accelerator.
_CLASSES = (0x03, 0x12)


def probe(root: Path = Path("/")) -> dict[str, Any]:
    """``{vendor: {"state", "devices", ...}}`` for NVIDIA, AMD, Intel and Google.

    ``state`` is ``absent``, ``without driver`` (it is on the bus and no driver serves it) or
    ``present``.
    """
    buses: dict[str, list[dict[str, Any]]] = {vendor: [] for vendor in _VENDORS.values()}
    for device in children(root / "sys/bus/pci/devices"):
        vendor = _VENDORS.get(read_int(device / "vendor") or 0)
        kind = (read_int(device / "class") or 0) >> 16
        if vendor and kind in _CLASSES:
            buses[vendor].append(_device(device))
    found = {vendor: _state(devices) for vendor, devices in buses.items()}
    found["nvidia"] |= nvidia.probe() if root == Path("/") else {}
    found["nvidia"]["driver"] = found["nvidia"].get("driver") or _nvidia_driver(root)
    nodes = [path.name for path in children(root / "dev", "accel*")] + [
        path.name for path in children(root / "dev/accel")
    ]
    if nodes and found["google"]["state"] == "absent" and not any(buses.values()):
        found["google"] = {"state": "present", "devices": [{"name": name} for name in nodes]}
    return found


def _state(devices: list[dict[str, Any]]) -> dict[str, Any]:
    if not devices:
        return {"state": "absent", "devices": []}
    driven = any(device["driver"] for device in devices)
    return {"state": "present" if driven else "without driver", "devices": devices}


def _device(device: Path) -> dict[str, Any]:
    """One PCI device. AMD's driver tells its memory in sysfs."""
    driver = device / "driver"
    return {
        "bus": device.name,
        "pci_id": f"{(read(device / 'vendor') or '')[2:]}:{(read(device / 'device') or '')[2:]}",
        "driver": driver.resolve().name if driver.exists() else None,
        "memory_bytes": read_int(device / "mem_info_vram_total"),
        "numa_node": read_int(device / "numa_node"),
        "link": _link(device),
    }


def _link(device: Path) -> str | None:
    speed, width = read(device / "current_link_speed"), read(device / "current_link_width")
    return f"{speed} x{width}" if speed and width else None


def _nvidia_driver(root: Path) -> str | None:
    found = re.search(r"Kernel Module\s+(?:for \S+\s+)?(\d[\d.]+)", read(root / "proc/driver/nvidia/version") or "")
    return found[1] if found else None

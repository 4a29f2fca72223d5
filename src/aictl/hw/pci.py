"""The PCI bus: what each device is, who drives it, how wide and fast its link is, and where it hangs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aictl.hw.files import children, read, read_int, target, there

BUS = "sys/bus/pci/devices"
# GT/s of a lane by generation: PCI Express Base Specification, as sysfs prints it.
_GENERATIONS = {
    "2.5": 1,
    "5.0": 2,
    "5": 2,
    "8.0": 3,
    "8": 3,
    "16.0": 4,
    "16": 4,
    "32.0": 5,
    "32": 5,
    "64.0": 6,
    "64": 6,
}


def devices(root: Path) -> Iterator[tuple[Path, int, int, int]]:
    """Each device's folder with its vendor, device and class."""
    for folder in children(root / BUS):
        vendor, device, kind = (read_int(folder / name) for name in ("vendor", "device", "class"))
        if vendor is not None and kind is not None:
            yield folder, vendor, device or 0, kind


def facts(folder: Path) -> dict[str, Any]:
    """What sysfs says of any device. A link's generation and width are as they are now, what the
    device can do, and what the slot or switch that it is plugged into can do."""
    port = folder.resolve().parent if there(folder) else folder
    node = read_int(folder / "numa_node")
    return {
        "bus": folder.name,
        "pci_id": f"{(read(folder / 'vendor') or '')[2:]}:{(read(folder / 'device') or '')[2:]}",
        "driver": target(folder / "driver"),
        "numa_node": node if node is not None and node >= 0 else None,
        "pcie_generation": _generation(folder / "current_link_speed"),
        "max_pcie_generation": _generation(folder / "max_link_speed"),
        "slot_pcie_generation": _generation(port / "max_link_speed"),
        "pcie_width": _width(folder / "current_link_width"),
        "max_pcie_width": _width(folder / "max_link_width"),
        "slot_pcie_width": _width(port / "max_link_width"),
        "nodes": _nodes(folder),
    }


def way(root: Path, bus: str) -> list[str]:
    """The devices from the host bridge down to this one, such as
    ``["pci0000:00", "0000:00:01.0", "0000:01:00.0"]``."""
    folder = root / BUS / bus
    parts = folder.resolve().parts if there(folder) else ()
    first = next((at for at, part in enumerate(parts) if re.fullmatch(r"pci[0-9a-f]{4,}:[0-9a-f]{2}", part)), None)
    return list(parts[first:]) if first is not None else []


def name(root: Path, vendor: int, device: int) -> str | None:
    """What the list of PCI ids calls a device (https://pci-ids.ucw.cz), where one is installed."""
    for place in ("usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids"):
        inside = False
        for line in (read(root / place) or "").splitlines():
            if line[:4] == f"{vendor:04x}" and line[4:5] == " ":
                inside = True
            elif inside and not line.startswith("\t"):
                break
            elif inside and line.startswith(f"\t{device:04x}  "):
                return line[7:].strip()
    return None


def _nodes(folder: Path) -> list[str]:
    """The device files through which programs reach it."""
    found = [
        f"/dev/{there_as}/{node.name}"
        for kind, there_as in (("drm", "dri"), ("accel", "accel"))
        for node in children(folder / kind)
        if not node.name.startswith("card") or kind != "drm"
    ]
    found += [f"/dev/{node.name}" for node in children(folder / "habanalabs")]
    group = target(folder / "iommu_group")
    if group and target(folder / "driver") == "vfio-pci":
        found.append(f"/dev/vfio/{group}")
    return found


def _generation(path: Path) -> int | None:
    return _GENERATIONS.get((read(path) or "").partition(" ")[0])


def _width(path: Path) -> int | None:
    """A link that is down says 0, and a device that has none 255."""
    width = read_int(path)
    return width if width and width < 255 else None

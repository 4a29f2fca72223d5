"""Network interfaces, InfiniBand and RoCE devices, and what lets them reach a GPU's memory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from aictl.hw.files import children, read, read_int, target, there

# Kernel modules that let a network card or a disk read and write a GPU's memory by itself.
_DIRECT = {
    "nvidia_peermem": "GPUDirect RDMA",
    "nv_peer_mem": "GPUDirect RDMA (the older module)",
    "gdrdrv": "GDRCopy",
    "nvidia_fs": "GPUDirect Storage",
}


def probe(root: Path = Path("/")) -> dict[str, Any]:
    """``{"interfaces", "rdma", "direct"}``; speeds are in Mbit/s, rates in Gbit/s. Addresses are left
    out."""
    interfaces = []
    for link in children(root / "sys/class/net"):
        if not there(link / "mtu"):
            continue
        speed = read_int(link / "speed")  # -1, or an error, where a link has none
        interfaces.append(
            {
                "name": link.name,
                "state": read(link / "operstate"),
                "speed_mbit": speed if speed and speed > 0 else None,
                "mtu": read_int(link / "mtu"),
                "virtual": not there(link / "device"),
                "driver": target(link / "device/driver"),
                "bus": _bus(link / "device"),
                "numa_node": _node(link / "device"),
            }
        )
    loaded = {module: there(root / "sys/module" / module) for module in _DIRECT}
    direct = {module: {"for": _DIRECT[module], "state": "loaded" if on else "absent"} for module, on in loaded.items()}
    return {"interfaces": interfaces, "rdma": _rdma(root), "direct": direct}


def _rdma(root: Path) -> list[dict[str, Any]]:
    """One row a port. ``kind`` is how it speaks: InfiniBand, or RoCE where the link is Ethernet."""
    return [
        {
            "device": device.name,
            "port": port.name,
            "kind": _kind(device, port),
            "state": (read(port / "state") or "").rpartition(": ")[2] or None,
            "physical_state": (read(port / "phys_state") or "").rpartition(": ")[2] or None,
            "rate": read(port / "rate"),
            "rate_gbit": _rate(read(port / "rate")),
            "link_layer": read(port / "link_layer"),
            "firmware": read(device / "fw_ver"),
            "interfaces": [one.name for one in children(device / "device/net")],
            "bus": _bus(device / "device"),
            "numa_node": _node(device / "device"),
        }
        for device in children(root / "sys/class/infiniband")
        for port in children(device / "ports")
    ]


def _kind(device: Path, port: Path) -> str | None:
    layer = read(port / "link_layer")
    if layer != "Ethernet":
        return layer
    kind = (read(device / "node_type") or "").rpartition(": ")[2]
    if kind.upper() == "RNIC":
        return "iWARP"
    versions = {read(one) for one in children(port / "gid_attrs/types")}
    return "RoCE v2" if "RoCE v2" in versions else "RoCE"


def _rate(text: str | None) -> float | None:
    found = re.match(r"([\d.]+) Gb/sec", text or "")
    return float(found[1]) if found else None


def _bus(device: Path) -> str | None:
    """The PCI address of a device; a virtual machine's card hangs below its PCI device."""
    if not there(device):
        return None
    return next(
        (part for part in reversed(device.resolve().parts) if re.fullmatch(r"[0-9a-f]{4,}:[0-9a-f]{2}:\w\w\.\d", part)),
        None,
    )


def _node(device: Path) -> int | None:
    node = read_int(device / "numa_node")
    return node if node is not None and node >= 0 else None

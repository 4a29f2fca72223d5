"""Network interfaces, and InfiniBand or RoCE devices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aictl.hw.files import children, read, read_int


def probe(root: Path = Path("/")) -> dict[str, Any]:
    """``{"interfaces": [...], "rdma": [...]}``; speeds are in Mbit/s. Addresses are left out."""
    interfaces = []
    for link in children(root / "sys/class/net"):
        if not (link / "mtu").exists():
            continue
        speed = read_int(link / "speed")  # -1, or an error, where a link has none
        driver = link / "device/driver"
        interfaces.append(
            {
                "name": link.name,
                "state": read(link / "operstate"),
                "speed_mbit": speed if speed and speed > 0 else None,
                "mtu": read_int(link / "mtu"),
                "virtual": not (link / "device").exists(),
                "driver": driver.resolve().name if driver.exists() else None,
            }
        )
    return {"interfaces": interfaces, "rdma": _rdma(root)}


def _rdma(root: Path) -> list[dict[str, Any]]:
    return [
        {
            "device": device.name,
            "port": port.name,
            "state": (read(port / "state") or "").rpartition(": ")[2] or None,
            "rate": read(port / "rate"),
            "link_layer": read(port / "link_layer"),
        }
        for device in children(root / "sys/class/infiniband")
        for port in children(device / "ports")
    ]

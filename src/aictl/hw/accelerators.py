"""Accelerators: what sits on the PCI bus, what has a driver, and what the driver says of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from aictl.hw import amd, pci
from aictl.hw.files import children, read, read_int, refusals, there
from aictl.hw.limited import Reply

# PCI vendors (https://pci-ids.ucw.cz) that make accelerators alone or beside other things.
_GPU_VENDORS = {0x10DE: "nvidia", 0x1002: "amd", 0x8086: "intel"}
_OTHER_VENDORS = {
    0x1DA3: "Intel Habana",
    0x1D0F: "AWS Neuron",
    0x17CB: "Qualcomm",
    0x19E5: "Huawei Ascend",
    0x1E52: "Tenstorrent",
    0x1D95: "Graphcore",
    0x1ED2: "FuriosaAI",
    0x1EFF: "Rebellions",
    0x1E60: "Hailo",
    0xCABC: "Cambricon",
    0x1ED5: "Moore Threads",
}
# Amazon's network and storage cards are on the bus too: these are its accelerators.
_NEURON = {0x7064, 0x7065, 0x7066, 0x7067, 0x7164, 0x7264, 0x7364}
_GOOGLE = 0x1AE0
VENDORS = (*_GPU_VENDORS.values(), "google", "other")
# As Google's own tpu-info and JAX know them; the first two share an id and differ in their subsystem.
_TPUS = {0x0027: "v2 or v3", 0x005E: "v4", 0x0063: "v5e", 0x0062: "v5p", 0x006F: "v6e", 0x0076: "7x"}
_TPU_SUBSYSTEMS = {0x004E: "v2", 0x004F: "v3"}
_DISPLAY, _PROCESSING = 0x03, 0x12  # PCI base classes


def probe(root: Path = Path("/")) -> dict[str, Any]:
    """``{vendor: {"state", "devices", ...}}`` for NVIDIA, AMD, Intel, Google and all others.

    ``state`` is ``absent``, ``without driver`` (it is on the bus and no driver serves it), ``present``
    or ``unanswered`` (its driver hangs).
    """
    buses: dict[str, list[dict[str, Any]]] = {name: [] for name in VENDORS}
    for folder, vendor, device, kind in pci.devices(root):
        if which := _which(vendor, device, kind >> 16):
            buses[which].append(_device(root, folder, vendor, device))
    found: dict[str, dict[str, Any]] = {
        vendor: {"state": _state(devices), "devices": devices} for vendor, devices in buses.items()
    }
    found["nvidia"]["driver"] = _nvidia_driver(root)
    if found["amd"]["devices"]:
        found["amd"]["driver"] = read(root / "sys/module/amdgpu/version")
        found["amd"]["rocm"] = read(root / "opt/rocm/.info/version")
    _unclaimed(root, found)
    return found


def tell(root: str) -> None:
    """Run beside us: a driver whose card is stuck may never answer a question about its files."""
    with refusals() as refused:
        found = probe(Path(root))
    sys.stdout.write(json.dumps({"found": found, "refused": refused}) + "\n")


def heard(reply: Reply) -> tuple[dict[str, Any], dict[str, str]]:
    """What :func:`tell` said, and what it was refused. If it said nothing, every vendor is ``unanswered``."""
    try:
        said = json.loads(reply.said)
        return said["found"], said["refused"]
    except (ValueError, KeyError, TypeError):
        silent = {"state": "unanswered", "note": reply.reason}
        return {vendor: {**silent, "devices": []} for vendor in VENDORS}, {}


def with_nvml(found: dict[str, Any], nvml: dict[str, Any], root: Path = Path("/")) -> dict[str, Any]:
    """The same with what NVIDIA's library answered of its own."""
    nvidia = _with_nvml(found["nvidia"], nvml)
    return {**found, "nvidia": {**nvidia, "driver": nvidia.get("driver") or _nvidia_driver(root)}}


def devices(found: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every accelerator of a probe with its vendor."""
    return [(vendor, one) for vendor, about in found.items() for one in about["devices"]]


def _which(vendor: int, device: int, kind: int) -> str | None:
    if vendor == _GOOGLE:
        return "google" if device in _TPUS or kind == _PROCESSING else None
    if vendor in _GPU_VENDORS and kind in (_DISPLAY, _PROCESSING):
        return _GPU_VENDORS[vendor]
    if (vendor == 0x1D0F and device in _NEURON) or kind == _PROCESSING:
        return "other"
    return None


def _state(devices: list[dict[str, Any]]) -> str:
    if not devices:
        return "absent"
    return "present" if any(device["driver"] for device in devices) else "without driver"


def _device(root: Path, folder: Path, vendor: int, device: int) -> dict[str, Any]:
    """One device as the bus and, for AMD and Intel, its driver show it."""
    found: dict[str, Any] = {"name": None, **pci.facts(folder)}
    if vendor == 0x1002:
        found |= amd.facts(folder)
    elif vendor == 0x8086:
        found["memory_bytes"] = next(
            (read_int(card / "lmem_total_bytes") for card in children(folder / "drm", "card*")), None
        )
    elif vendor == _GOOGLE and device in _TPUS:
        version = _TPU_SUBSYSTEMS.get(read_int(folder / "subsystem_device") or 0) if device == 0x27 else None
        found["name"] = f"TPU {version or _TPUS[device]}"
    elif vendor in _OTHER_VENDORS:
        found["vendor"] = _OTHER_VENDORS[vendor]
    found["name"] = found["name"] or pci.name(root, vendor, device)
    return found


def _with_nvml(bus: dict[str, Any], nvml: dict[str, Any]) -> dict[str, Any]:
    """NVML's devices, each with what the bus says of it; and those that are on the bus alone."""
    nvml = {name: value for name, value in nvml.items() if value is not None or name not in bus}
    if "devices" not in nvml:
        return bus | nvml
    on_bus = {device["bus"]: device for device in bus["devices"]}
    merged = []
    for device in nvml["devices"]:
        known = {name: value for name, value in device.items() if value is not None}
        merged.append({**device, **on_bus.pop(device.get("bus"), {}), **known})
    missed = "unanswered" if nvml["state"] == "unanswered" and not nvml["devices"] else "not seen by NVML"
    merged += [{**device, "state": missed} for device in on_bus.values()]
    state = nvml["state"] if nvml["state"] != "absent" or not merged else "without driver"
    return {**bus, **nvml, "state": state, "devices": merged}


def _nvidia_driver(root: Path) -> str | None:
    """The kernel module's version: it stands there even if NVML is not to be had."""
    words = (read(root / "proc/driver/nvidia/version") or "").split()
    return next((word for word in words if word[0].isdigit() and word.count(".") >= 1), None)


def _unclaimed(root: Path, found: dict[str, Any]) -> None:
    """Device files of accelerators that no PCI device accounts for: a machine that hides its bus."""
    claimed = {node for about in found.values() for one in about["devices"] for node in one.get("nodes", ())}
    nodes = [
        path for pattern in ("accel[0-9]*", "neuron[0-9]*", "davinci[0-9]*") for path in children(root / "dev", pattern)
    ]
    nodes += children(root / "dev/accel")
    new = [name for path in nodes if (name := f"/{path.relative_to(root).as_posix()}") not in claimed]
    # A vendor's files may be named otherwise than sysfs names them.
    if not new or any(about["devices"] for about in found.values()):
        return
    made_by = "google" if all("/accel" in name for name in new) and not there(root / "sys/class/accel") else "other"
    found[made_by] = {"state": "present", "devices": [{"name": Path(name).name, "nodes": [name]} for name in new]}

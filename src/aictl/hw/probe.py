"""Everything that is known about a machine, written down as a probe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aictl.artifacts.probe import Probe
from aictl.hw import accelerators, cpu, memory, network, software


def look(root: Path = Path("/"), place: Path | None = None) -> dict[str, Any]:
    """What the machine whose ``/`` is ``root`` is; ``place`` is the folder whose disk is meant."""
    return {
        "cpu": cpu.probe(root),
        "memory": memory.probe(root),
        "disk": memory.probe_disk(place or Path.cwd(), root),
        "accelerators": accelerators.probe(root),
        "network": network.probe(root),
        "software": software.probe(root),
    }


def probe(folder: Path, root: Path = Path("/"), place: Path | None = None) -> Probe:
    """Write ``probe.json`` into ``folder``."""
    facts = look(root, place)
    (folder / "probe.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return Probe(folder, metrics=_numbers(facts), summary=_summary(facts))


def _numbers(facts: dict[str, Any]) -> dict[str, Any]:
    """What later commands compare a machine by."""
    devices = facts["accelerators"]["nvidia"]["devices"]
    return {
        "cpu": {name: facts["cpu"][name] for name in ("cores", "threads", "usable_threads", "features")},
        "memory": facts["memory"],
        "disk": {"free_bytes": facts["disk"]["free_bytes"]},
        "accelerators": {vendor: len(found["devices"]) for vendor, found in facts["accelerators"].items()},
        "gpu_memory_bytes": sum(device.get("memory_bytes") or 0 for device in devices),
    }


def _summary(facts: dict[str, Any]) -> str:
    total = facts["memory"]["total_bytes"]
    names = [
        device.get("name") or f"{vendor} {device.get('pci_id', '')}"
        for vendor, found in facts["accelerators"].items()
        for device in found["devices"]
    ]
    parts = [
        f"{facts['cpu']['cores']} cores",
        f"{total / 2**30:.0f} GiB" if total else "",
        ", ".join(names) or "no accelerator",
    ]
    return ", ".join(part for part in parts if part)

"""NVIDIA's GPUs as its management library (NVML) describes them.

``nvidia-ml-py`` is optional, and so is the driver: without either there is nothing to add. The library
is asked by a process of its own (:mod:`aictl.hw.nvml`), because a driver that hangs takes with it
whoever calls it.
"""

from __future__ import annotations

import importlib.util
import json
from typing import Any

from aictl.hw.limited import Asked, Reply, python

TIMEOUT_S = 10.0
NOT_INSTALLED = "nvidia-ml-py is not installed: pip install 'aictl[hw]'"


def ask(timeout_s: float = TIMEOUT_S) -> Asked | None:
    """Begin to ask; None where the binding is not installed."""
    if importlib.util.find_spec("pynvml") is None:
        return None
    return python("aictl.hw.nvml", "describe", timeout_s=timeout_s)


def probe(timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """``{"state", "driver", "cuda", "devices"}``, or a ``note`` that says why NVML told nothing."""
    asked = ask(timeout_s)
    return facts(asked.reply() if asked else None)


def facts(reply: Reply | None) -> dict[str, Any]:
    """What NVML answered until the end, or until its time was up.

    A device's ``state`` is ``present``, ``lost`` (it fell off the bus), ``not opened`` or
    ``unanswered``. Its ``unknown`` holds, by field, why there is no answer.
    """
    if reply is None:
        return {"note": NOT_INSTALLED}
    rows = _rows(reply.said)
    failed = next((row["failed"] for row in rows if "failed" in row), None)
    system = next((row["system"] for row in rows if "system" in row), None)
    if failed or (system is None and reply.state == "failed"):
        return {"note": failed or f"NVML: {reply.reason}"}
    if system is None:
        return {"state": "unanswered", "note": f"NVML: {reply.reason}", "devices": []}
    devices = [device(rows, number, reply.reason) for number in range(system["count"])]
    unanswered = any(one["state"] == "unanswered" for one in devices)
    return {
        "state": "unanswered" if unanswered else "present" if devices else "absent",
        "driver": system["driver"],
        "cuda": system["cuda"],
        "devices": devices,
    }


def device(rows: list[dict[str, Any]], number: int, late: str) -> dict[str, Any]:
    """One GPU put together from the lines about it."""
    own = [row for row in rows if row.get("device") == number]
    found: dict[str, Any] = {"index": number, "state": "unanswered", "name": None}
    found |= {row["field"]: row["value"] for row in own if "field" in row}
    unknown = {row["field"]: row["reason"] for row in own if "field" in row and "reason" in row}
    ended = next((row for row in own if "state" in row), None)
    if ended:
        found["state"] = ended["state"]
        if "reason" in ended:
            found["note"] = ended["reason"]
    else:
        last = next((row["field"] for row in reversed(own) if "field" in row), None)
        found["note"] = f"{late}, after {last}" if last else late
    if unknown:
        found["unknown"] = unknown
    if found.get("bus"):
        found["bus"] = sysfs_bus(found["bus"])
    for link in found.get("nvlinks") or []:
        link["remote"] = sysfs_bus(link["remote"]) if link["remote"] else None
    return found


def _rows(said: str) -> list[dict[str, Any]]:
    """The lines that came whole."""
    rows = []
    for line in said.splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def sysfs_bus(bus: str) -> str:
    """NVML's ``00000000:17:00.0`` as sysfs writes it: ``0000:17:00.0``."""
    domain, _, rest = bus.lower().partition(":")
    return f"{domain[-4:]}:{rest}"

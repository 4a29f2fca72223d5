"""Everything that is known about a machine, written down as a probe.

    ask drivers and programs, side by side ─┐
    read what the kernel shows in files ────┼─▶ facts ─▶ probe.json
    wait for the answers ───────────────────┘

What is absent is said to be absent; what did not answer in its time, or may not be read, is said to
be that. Nothing of it is an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aictl.artifacts.probe import Probe, summary
from aictl.hw import accelerators, clock, cpu, disks, limits, memory, network, nvidia, services, software, topology
from aictl.hw.files import refusals
from aictl.hw.limited import Asked, Reply, python

TIMEOUT_S = 10.0


class Asking:
    """Every question that was asked of a driver, a library or a program, and waits for its answer."""

    def __init__(self, root: Path, mounts: list[str], *, deep: bool, timeout_s: float) -> None:
        self._asked: dict[str, Asked | None] = {
            "nvml": nvidia.ask(timeout_s),
            "space": disks.ask_space(mounts, timeout_s),
            "accelerators": python("aictl.hw.accelerators", "tell", str(root), timeout_s=timeout_s),
        }
        if software.found("onnxruntime"):
            self._asked["providers"] = python("aictl.hw.loading", "tell_providers", timeout_s=timeout_s)
        if deep and software.found("torch"):
            # torch alone takes seconds to import, and several times that on a busy machine.
            self._asked["torch"] = python("aictl.hw.loading", "tell_torch", timeout_s=max(timeout_s, 60.0))
        self._services = services.ask(timeout_s)

    def replies(self) -> tuple[dict[str, Reply], dict[str, Reply]]:
        """Wait for all of them: first the machine's, then those of container engines and clusters."""
        return (
            {name: asked.reply() for name, asked in self._asked.items() if asked},
            {name: asked.reply() for name, asked in self._services.items()},
        )

    def end(self) -> None:
        """Leave no question behind: Ctrl-C in a terminal does not reach those who are asked."""
        for asked in (*self._asked.values(), *self._services.values()):
            if asked:
                asked.end()


def look(
    root: Path = Path("/"),
    place: Path | None = None,
    *,
    deep: bool = False,
    timeout_s: float = TIMEOUT_S,
    ask: bool | None = None,
) -> dict[str, Any]:
    """What the machine whose ``/`` is ``root`` is; ``place`` is the folder whose disk is meant.

    ``deep`` also asks torch what it finds, which takes seconds. ``ask`` says whether drivers and
    programs are asked at all: only those of the machine itself can be.
    """
    place = (place or Path.cwd()).absolute()
    asking = None
    if ask if ask is not None else root == Path("/"):
        points = [mount["mount"] for mount in disks.mounted(root)]
        asking = Asking(root, [*points, str(place)], deep=deep, timeout_s=timeout_s)
    try:
        return _facts(root, place, asking)
    except BaseException:
        if asking:
            asking.end()
        raise


def _facts(root: Path, place: Path, asking: Asking | None) -> dict[str, Any]:
    with refusals() as refused:
        cards = network.probe(root)
        facts: dict[str, Any] = {
            "cpu": cpu.probe(root),
            "memory": memory.probe(root),
            "limits": limits.probe(root),
            "clock": clock.probe() if root == Path("/") else {},
        }
        replies, engines = asking.replies() if asking else ({}, {})
        facts["disks"] = disks.probe(root, place, replies.get("space"))
        facts["accelerators"] = _accelerators(root, replies, refused) if asking else accelerators.probe(root)
        facts["interconnect"] = topology.probe(root, facts["accelerators"], cards)
        facts["network"] = cards
        facts["software"] = {**software.probe(root, replies), **services.facts(engines, root)}
    return {**facts, "not_readable": refused}


def _accelerators(root: Path, replies: dict[str, Reply], refused: dict[str, str]) -> dict[str, Any]:
    """What the bus and the drivers' files say, and NVML."""
    found, not_read = accelerators.heard(replies["accelerators"])
    refused.update(not_read)
    return accelerators.with_nvml(found, nvidia.facts(replies.get("nvml")), root)


def probe(
    folder: Path,
    root: Path = Path("/"),
    place: Path | None = None,
    *,
    deep: bool = False,
    timeout_s: float = TIMEOUT_S,
) -> Probe:
    """Write ``probe.json`` into ``folder``."""
    facts = look(root, place, deep=deep, timeout_s=timeout_s)
    Probe.write(folder, facts)
    return Probe(folder, metrics=_numbers(facts), summary=summary(facts))


def _numbers(facts: dict[str, Any]) -> dict[str, Any]:
    """What later commands compare a machine by."""
    found = accelerators.devices(facts["accelerators"])
    return {
        "cpu": {name: facts["cpu"][name] for name in ("cores", "threads", "usable_threads", "features")},
        "memory": facts["memory"],
        "disk": {"free_bytes": facts["disks"]["here"]["free_bytes"]},
        "accelerators": {vendor: len(about["devices"]) for vendor, about in facts["accelerators"].items()},
        "gpu_memory_bytes": sum(device.get("memory_bytes") or 0 for _, device in found),
    }

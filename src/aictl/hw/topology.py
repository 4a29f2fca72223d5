"""How accelerators and network cards reach each other: the matrix that ``nvidia-smi topo -m`` shows,
made from the paths of sysfs and, for links of the makers' own, from what their drivers say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aictl.hw import amd, pci
from aictl.hw.accelerators import devices
from aictl.hw.files import read

LEGEND = {
    "X": "itself",
    "NV#": "that many NVLink lanes",
    "XGMI": "AMD's Infinity Fabric",
    "PIX": "one PCIe switch",
    "PXB": "several PCIe switches",
    "PHB": "the host bridge of one processor",
    "NODE": "host bridges within one NUMA node",
    "SYS": "the link between NUMA nodes",
    "?": "this system hides its bus",
}
_SHORT = {"nvidia": "GPU", "amd": "AMD", "intel": "INTEL", "google": "TPU", "other": "ACC"}


def probe(root: Path, accelerators: dict[str, Any], network: dict[str, Any]) -> dict[str, Any]:
    """``{"devices": [...], "matrix": [[...]], "legend"}``: rows and columns in the order of ``devices``,
    each with its bus, NUMA node and the processors of that node."""
    found = _accelerators(accelerators) + _cards(network)
    found = [{**one, **_place(root, one)} for one in found]
    joined = {frozenset(pair): "XGMI" for pair in amd.links(root)}
    joined |= {pair: f"NV{count}" for pair, count in _lanes(accelerators).items()}
    ways = {one["bus"]: pci.way(root, one["bus"]) for one in found}
    peers = _peers(accelerators)
    matrix = [[_between(one, other, ways, joined, peers) for other in found] for one in found]
    used = {"NV#" if word.startswith("NV") else word for row in matrix for word in row}
    return {
        "devices": found,
        "matrix": matrix,
        "legend": {word: meaning for word, meaning in LEGEND.items() if word in used},
    }


def _accelerators(found: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    counts: dict[str, int] = {}
    for vendor, one in devices(found):
        number = counts[vendor] = counts.get(vendor, -1) + 1
        if one.get("bus"):
            about = {"is": one.get("name"), "bus": one["bus"], "numa_node": one.get("numa_node")}
            rows.append({"name": f"{_SHORT[vendor]}{number}", **about})
    return rows


def _cards(network: dict[str, Any]) -> list[dict[str, Any]]:
    """RDMA devices, and the cards that are none."""
    rdma = {one["bus"]: one["device"] for one in network["rdma"] if one["bus"]}
    rows = [{"name": name, "is": "RDMA device", "bus": bus} for bus, name in rdma.items()]
    for card in network["interfaces"]:
        if card["bus"] and card["bus"] not in rdma:
            rows.append({"name": card["name"], "is": "network card", "bus": card["bus"]})
    return rows


def _place(root: Path, one: dict[str, Any]) -> dict[str, Any]:
    node = pci.facts(root / pci.BUS / one["bus"])["numa_node"]
    node = one.get("numa_node") if node is None else node
    cpus = read(root / f"sys/devices/system/node/node{node}/cpulist") if node is not None else None
    return {"numa_node": node, "cpus": cpus or read(root / pci.BUS / one["bus"] / "local_cpulist")}


def _lanes(found: dict[str, Any]) -> dict[frozenset[str], int]:
    """NVLink lanes between two GPUs. A lane that ends at a switch reaches every GPU on the switch."""
    lanes: dict[frozenset[str], int] = {}
    switched: dict[str, int] = {}
    for one in found["nvidia"]["devices"]:
        bus = one.get("bus")
        for link in one.get("nvlinks") or []:
            if not bus or not link["active"]:
                continue
            if link["remote_kind"] == "switch":
                switched[bus] = switched.get(bus, 0) + 1
            elif link["remote"] and bus < link["remote"]:
                pair = frozenset((bus, link["remote"]))
                lanes[pair] = lanes.get(pair, 0) + 1
    for bus, count in switched.items():
        for other, others in switched.items():
            if other != bus:
                lanes[frozenset((bus, other))] = min(count, others)
    return lanes


def _peers(found: dict[str, Any]) -> dict[frozenset[str], str]:
    """What NVIDIA's library says of two GPUs, for a system that hides its bus."""
    buses = {one.get("index"): one.get("bus") for one in found["nvidia"]["devices"]}
    return {
        frozenset((one["bus"], other)): word
        for one in found["nvidia"]["devices"]
        for number, word in (one.get("peers") or {}).items()
        if one.get("bus") and (other := buses.get(int(number)))
    }


def _between(
    one: dict[str, Any],
    other: dict[str, Any],
    ways: dict[str, list[str]],
    joined: dict[frozenset[str], str],
    peers: dict[frozenset[str], str],
) -> str:
    if one is other:
        return "X"
    pair = frozenset((one["bus"], other["bus"]))
    if pair in joined:
        return joined[pair]
    here, there = ways[one["bus"]], ways[other["bus"]]
    if not here or not there:
        return peers.get(pair, "?")
    return _over_pcie(here, there, same_node=one["numa_node"] == other["numa_node"])


def _over_pcie(here: list[str], there: list[str], *, same_node: bool) -> str:
    """How far up the bus two ways have to go until they meet."""
    shared = 0
    while shared < min(len(here), len(there)) and here[shared] == there[shared]:
        shared += 1
    if shared == 0:  # different host bridges
        return "NODE" if same_node else "SYS"
    if shared == 1:
        return "PHB"
    # Below a shared switch each side has the port that leads to it, and itself.
    return "PIX" if max(len(here), len(there)) - shared <= 2 else "PXB"

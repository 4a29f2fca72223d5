"""probe: what a machine is, as seen at one moment. File: ``probe.json``.

Its groups: cpu, memory, limits, clock, disks, accelerators, interconnect, network, software, and
``not_readable``, the files that this user may not read with the reason.
"""

from __future__ import annotations

from typing import Any

from aictl.artifacts.quantity import rate, shown, size
from aictl.artifacts.report import Report
from aictl.core.answer import Answer, Document, Section, Table

REFUSED = "no permission"
STATES = {
    "present": "green",
    "up": "green",
    "ACTIVE": "green",
    "lost": "red",
    "unanswered": "red",
    "DOWN": "red",
    "not opened": "red",
    "not seen by NVML": "red",
    "without driver": "yellow",
    "down": "dim",
}


class Probe(Report):
    """The hardware and software of one machine, group by group."""

    kind = "probe"
    about = "the hardware and software of a machine"

    def answer(self) -> Answer:
        facts = self.facts
        if "disks" not in facts or "interconnect" not in facts:  # of another make: shown as it is
            return Document(facts)
        return Document(facts, sections=_sections(facts))


def summary(facts: dict[str, Any]) -> str:
    """A machine in one line."""
    total = facts["memory"]["limit_bytes"] or facts["memory"]["total_bytes"]
    names: dict[str, int] = {}
    for vendor, about in facts["accelerators"].items():
        for device in about["devices"]:
            name = device.get("name") or f"{vendor} {device.get('pci_id', '')}".strip()
            names[name] = names.get(name, 0) + 1
    shown_names = [name if count == 1 else f"{count} x {name}" for name, count in names.items()]
    cores = facts["cpu"]["cores"]
    parts = [f"{cores} core{'s' * (cores != 1)}", size(total), ", ".join(shown_names) or "no accelerator"]
    return ", ".join(part for part in parts if part)


def _sections(facts: dict[str, Any]) -> list[Section]:
    sections = [
        Section("cpu", _cpu(facts["cpu"])),
        *_numa(facts["cpu"]["numa"]),
        Section("memory", _memory(facts["memory"], facts["limits"])),
        *_disks(facts["disks"]),
        *_accelerators(facts["accelerators"]),
        *_interconnect(facts["interconnect"]),
        *_network(facts["network"]),
        Section("software", _software(facts["software"])),
    ]
    if refused := facts.get("not_readable"):
        sections.append(Section("not readable by this user", dict(refused)))
    return [one for one in sections if one.content]


def _cpu(cpu: dict[str, Any]) -> dict[str, str]:
    caches = [
        f"L{one['level']}{'' if one['type'] == 'Unified' else ' ' + str(one['type']).lower()} {size(one['size_bytes'])}"
        + (f" x{one['instances']}" if one.get("instances", 1) > 1 else "")
        for one in cpu["caches"]
    ]
    usable = cpu["usable_threads"]
    quota = f" of {cpu['threads']}" + (f", quota {cpu['quota_cpus']:g} cpus" if cpu["quota_cpus"] else "")
    return _known(
        {
            "model": cpu["model"],
            "architecture": f"{cpu['architecture']}{', a virtual machine' if cpu['virtual'] else ''}",
            "cores": f"{cpu['cores']} on {cpu['sockets']} socket{'s' * (cpu['sockets'] != 1)}, "
            f"{cpu['threads']} threads{' (SMT)' if cpu['smt'] else ''}",
            "usable threads": f"{usable}{quota}" if usable != cpu["threads"] or cpu["quota_cpus"] else None,
            "clock": shown("max_mhz", cpu["max_mhz"]),
            "governor": cpu["governor"],
            "features": ", ".join(cpu["features"]) or "none that kernels ask for",
            "caches": ", ".join(caches),
        }
    )


def _numa(nodes: list[dict[str, Any]]) -> list[Section]:
    if len(nodes) < 2:
        return []
    rows = [
        (one["node"], one["cpus"], size(one["memory_bytes"]), " ".join(map(str, one["distances"]))) for one in nodes
    ]
    return [Section("NUMA nodes", Table(("node", "cpus", "memory", "distances"), rows))]


def _memory(memory: dict[str, Any], limits: dict[str, Any]) -> dict[str, str]:
    return _known(
        {
            "total": size(memory["total_bytes"]),
            "available": size(memory["available_bytes"]),
            "limit of the group": size(memory["limit_bytes"]),
            "swap": size(memory["swap_bytes"]) if memory["swap_bytes"] else "none",
            "huge pages": memory["transparent_huge_pages"],
            "open files": _limit(limits["ulimits"].get("open_files")),
            "locked memory": _limit(limits["ulimits"].get("locked_bytes"), of_bytes=True),
        }
    )


def _limit(limit: dict[str, int] | None, *, of_bytes: bool = False) -> str:
    if limit is None:
        return ""
    return "unlimited" if limit["soft"] < 0 else size(limit["soft"]) if of_bytes else f"at most {limit['soft']}"


def _disks(disks: dict[str, Any]) -> list[Section]:
    here = disks["here"]
    seen: set[tuple[Any, ...]] = set()
    rows = []
    for mount in disks["mounts"]:
        same = (mount["source"], mount["filesystem"], mount["total_bytes"])
        if same in seen and mount["filesystem"] not in ("tmpfs",):
            continue  # one file system, bound to several places
        if mount["total_bytes"] == 0 or (mount["kind"] == "memory" and mount["mount"] != "/dev/shm"):
            continue
        seen.add(same)
        free = mount.get("state") or mount.get("unknown") or size(mount["free_bytes"])
        rows.append((mount["mount"], mount["filesystem"], mount["kind"], size(mount["total_bytes"]), free))
    devices = [(one["name"], one["kind"], size(one["size_bytes"]), one["model"]) for one in disks["devices"]]
    free = f"{size(here['free_bytes'])} free of {size(here['total_bytes'])}" if here["total_bytes"] else "unknown"
    found = [Section("disk", {here["path"]: ", ".join(filter(None, (here["filesystem"], here["kind"], free)))})]
    if rows:
        columns = ("mount", "type", "on", "size", "free")
        found.append(Section("mounts", _filled(columns, rows, {"free": STATES}, cut="mount")))
    if devices:
        found.append(Section("block devices", _filled(("device", "kind", "size", "model"), devices, {})))
    return found


def _accelerators(found: dict[str, Any]) -> list[Section]:
    about, rows, notes = {}, [], {}
    for vendor, one in found.items():
        words = [one["state"]]
        words += [f"driver {one['driver']}"] if one.get("driver") else []
        words += [f"CUDA {one['cuda']}"] if one.get("cuda") else []
        words += [f"ROCm {one['rocm']}"] if one.get("rocm") else []
        words += [one["note"]] if one.get("note") and one["state"] != "absent" else []
        if len(words) > 1 or one["state"] != "absent":
            about[vendor] = ", ".join(words)
        for number, device in enumerate(one["devices"]):
            rows.append(_accelerator(vendor, number, device))
            note = [device["note"]] if device.get("note") else []
            note += [f"{each['name']}, {size(each['memory_bytes'])}" for each in device.get("mig_instances") or []]
            note += [f"{_words(field)} {why}" for field, why in device.get("unknown", {}).items() if why == REFUSED]
            if note:
                notes[f"{vendor} {number}"] = "; ".join(note)
    if absent := [vendor for vendor, one in found.items() if one["state"] == "absent" and vendor not in about]:
        about["absent"] = ", ".join(absent)
    columns = ("#", "name", "memory", "cc", "power", "temp", "PCIe", "NUMA", "ECC", "state")
    table = _filled(columns, rows, {"state": STATES}, spare=("ECC", "temp", "cc", "NUMA"), cut="name")
    return [Section("accelerators", about), Section("", table if rows else {}), Section("", notes)]


def _filled(
    columns: tuple[str, ...],
    rows: list[tuple[Any, ...]],
    styles: Any,
    spare: tuple[str, ...] = (),
    cut: str | None = None,
) -> Table:
    """A table without the columns of which no row knows anything."""
    kept = [at for at in range(len(columns)) if any(row[at] not in (None, "") for row in rows)]
    names = tuple(columns[at] for at in kept)
    return Table(
        names,
        [tuple(row[at] for at in kept) for row in rows],
        {name: style for name, style in styles.items() if name in names},
        tuple(name for name in spare if name in names),
        cut if cut in names else None,
    )


def _words(field: str) -> str:
    """A field's name without the unit that ends it."""
    head, _, unit = field.rpartition("_")
    return (head if unit in ("w", "c", "bytes", "mhz", "percent") else field).replace("_", " ")


def _accelerator(vendor: str, number: int, device: dict[str, Any]) -> tuple[Any, ...]:
    power, limit = device.get("power_draw_w"), device.get("power_limit_w")
    watts = f"{power:.0f}/{limit:.0f} W" if power is not None and limit else shown("_w", limit)
    state = device.get("state") or ("present" if device.get("driver") or device.get("nodes") else "without driver")
    return (
        f"{vendor} {number}",
        (device.get("name") or device.get("pci_id") or "").removeprefix("NVIDIA "),  # which the first column says
        size(device.get("memory_bytes")),
        device.get("compute_capability"),
        watts,
        shown("_c", device.get("temperature_c")),
        pcie(device),
        device.get("numa_node"),
        {True: "on", False: "off", None: ""}[device.get("ecc")],
        "present, MIG" if device.get("mig") and state == "present" else state,
    )


def pcie(device: dict[str, Any]) -> str:
    """A link as ``gen5 x16``, or ``gen4 of 5 x8 of 16`` where it runs below what the device can."""
    now, most = device.get("pcie_generation"), device.get("max_pcie_generation")
    width, widest = device.get("pcie_width"), device.get("max_pcie_width")
    if not now or not width:
        return ""
    below = f" of {most}" if most and most > now else ""
    narrow = f" of {widest}" if widest and widest > width else ""
    return f"gen{now}{below} x{width}{narrow}"


def _interconnect(found: dict[str, Any]) -> list[Section]:
    devices = found["devices"]
    if len(devices) < 2:
        return []
    columns = ("", *(one["name"] for one in devices), "NUMA", "cpus")
    rows = [
        (one["name"], *row, one["numa_node"], one["cpus"]) for one, row in zip(devices, found["matrix"], strict=True)
    ]
    # What a card's column says stands in its row too, but for cards among themselves.
    spare = ("cpus", *(one["name"] for one in devices if one["is"] in ("RDMA device", "network card")))
    legend = {word: meaning for word, meaning in found["legend"].items() if word != "X"}
    return [Section("interconnect", _filled(columns, rows, {}, spare=spare)), Section("", legend)]


def _network(network: dict[str, Any]) -> list[Section]:
    cards = [one for one in network["interfaces"] if not one["virtual"]] or network["interfaces"]
    rows = [
        (one["name"], one["state"], rate(one["speed_mbit"]), one["mtu"], one["driver"], one["numa_node"])
        for one in cards
    ]
    about = ("kind", "state", "physical_state", "rate", "numa_node")
    ports = [(f"{one['device']}/{one['port']}", *(one[name] for name in about)) for one in network["rdma"]]
    loaded = [f"{name} ({one['for']})" for name, one in network["direct"].items() if one["state"] == "loaded"]
    known = {"cards": "" if rows else "absent", "RDMA": "" if ports else "absent"}
    known["GPUDirect"] = ", ".join(loaded) or "absent"
    cards_table = _filled(("card", "state", "speed", "mtu", "driver", "NUMA"), rows, {"state": STATES})
    columns = ("RDMA port", "kind", "state", "physical", "rate", "NUMA")
    ports_table = _filled(columns, ports, {"state": STATES}, spare=("physical",))
    return [
        Section("network", _known(known)),
        Section("", cards_table if rows else {}),
        Section("", ports_table if ports else {}),
    ]


def _software(found: dict[str, Any]) -> dict[str, str]:
    torch, runtime = found["torch"], found["onnxruntime"]
    built = torch.get("build")
    build = f"{torch.get('version')}, built for {built} {torch.get(built or '') or ''}".rstrip()
    if "cuda_available" in torch:
        build += ", finds " + (", ".join(torch["devices"]) or "no GPU")
    engines = [
        f"{name} {one.get('version') or one['state']}"
        for name, one in found["containers"].items()
        if one["state"] != "absent"
    ]
    cuda, cluster = found["cuda"], found["kubernetes"]
    failed = [f"{name} does not load" for name in runtime.get("not_loaded", {})]
    packages = {name: found["packages"][name] for name in ("transformers", "peft", "onnx") if name in found["packages"]}
    return _known(
        {
            "system": f"{found['system']}, kernel {found['kernel']}",
            "container": found["container"],
            "python": f"{found['python']} in {found['prefix']}",
            "torch": build if torch["state"] == "present" else "absent",
            "onnxruntime": ", ".join(f"{name} {version}" for name, version in runtime["installed"].items()) or "absent",
            "providers": ", ".join([*runtime.get("loaded", []), *failed]) or runtime.get("note"),
            "CUDA": cuda["toolkit"] or cuda["runtime_package"] or cuda["nvcc"] or "absent",
            "TensorRT": ", ".join([*found["tensorrt"]["packages"], *found["tensorrt"]["libraries"]]) or "absent",
            "containers": ", ".join(engines) or "absent",
            "Kubernetes": " ".join(filter(None, (cluster["context"], cluster["state"], cluster.get("version")))),
            "packages": ", ".join(f"{name} {version}" for name, version in packages.items()),
        }
    )


def _known(rows: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in rows.items() if value not in (None, "", [])}

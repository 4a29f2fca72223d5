"""Checks of accelerators: whether they answer, are well, and are linked as they could be."""

from __future__ import annotations

from typing import Any

from aictl.artifacts.probe import pcie
from aictl.hw.doctor.finding import Case, Finding, fails, not_applicable, numbered, passes, warns

_RESET = "`nvidia-smi -r -i N` as root, or restart the machine; `dmesg | grep -i xid` tells why"
_HOT_C = 90
_BUSY = 2  # performance states 0 to this one are a GPU at work: only then does a link run at full speed


def driver(case: Case) -> Finding:
    """Every accelerator on the bus has a driver that answers."""
    about = case.facts["accelerators"]
    if trouble := _trouble(case):
        return fails(trouble, _RESET)
    idle = [vendor for vendor, one in about.items() if one["state"] == "without driver"]
    if idle:
        return fails(f"on the bus and without a driver: {', '.join(idle)}", _install(idle[0]))
    present = [vendor for vendor, one in about.items() if one["state"] == "present"]
    if case.purpose == "trt" and "nvidia" not in present:
        return fails("TensorRT runs on an NVIDIA GPU, and there is none", "build here, run where there is a GPU")
    if not present:
        return not_applicable("no accelerator: the processor does the work")
    if (note := about["nvidia"].get("note")) and "nvidia" in present:
        return warns(f"NVIDIA's GPUs are not described: {note}", "pip install 'aictl[hw]'")
    counts = ", ".join(f"{len(about[vendor]['devices'])} {vendor}" for vendor in present)
    version = f", driver {case.nvidia['driver']}" if case.nvidia.get("driver") else ""
    return passes(f"{counts}{version}")


def _trouble(case: Case) -> str | None:
    """What is wrong with GPUs that have a driver."""
    silent = [one for one in case.facts["accelerators"].values() if one["state"] == "unanswered" and not one["devices"]]
    if len(silent) > 1:
        return f"what the drivers show of their devices is not told ({silent[0]['note']})"
    if case.nvidia["state"] == "unanswered":
        silent = [str(one.get("index", one.get("bus"))) for one in case.gpus if one.get("state") == "unanswered"]
        return f"NVIDIA's driver does not answer (GPU {', '.join(silent) or 'all'})"
    bad = [one for one in case.gpus if one.get("state") in ("lost", "not opened", "not seen by NVML")]
    names = ", ".join(f"GPU {one.get('index', one.get('bus'))} {one['state']}" for one in bad)
    return f"of {numbered(len(case.gpus), 'GPU')}: {names}" if bad else None


def _install(vendor: str) -> str:
    return {
        "nvidia": "install NVIDIA's driver; `dmesg | grep -i nvrm` tells if it is there and does not load",
        "amd": "load amdgpu (`modprobe amdgpu`) and install ROCm",
        "google": "on a TPU VM, check that /dev/accel* or /dev/vfio/* is there and may be opened by this user",
    }.get(vendor, "install its maker's driver")


def health(case: Case) -> Finding:
    """No uncorrected memory errors, no GPU that is too hot or slowed down."""
    told = [one for one in case.gpus if one.get("ecc_uncorrected") is not None or one.get("temperature_c") is not None]
    if not told:
        return not_applicable("no GPU tells of its health")
    wrong = [(one, one["ecc_uncorrected"]) for one in told if one.get("ecc_uncorrected")]
    if wrong:
        names = ", ".join(f"GPU {one['index']}: {count}" for one, count in wrong)
        return fails(f"uncorrected memory errors since the last restart ({names})", _RESET)
    slow = [f"GPU {one['index']} by {', '.join(why)}" for one in told if (why := _heat(one))]
    if slow:
        return warns(f"slowed down: {'; '.join(slow)}", "look at the cooling and the power supply")
    return passes(f"no uncorrected errors, at most {max(one.get('temperature_c') or 0 for one in told)} °C")


def _heat(one: dict[str, Any]) -> list[str]:
    """A power cap is how a GPU is meant to be slowed; heat and a failing supply are not."""
    reasons = [why for why in one.get("throttled") or [] if why != "power cap"]
    temperature = one.get("temperature_c") or 0
    return reasons or ([f"{temperature} °C"] if temperature >= _HOT_C else [])


def pcie_link(case: Case) -> Finding:
    """Links run as wide and as fast as device and slot can. An idle GPU lowers its generation to
    save power, never its width."""
    found = [
        (f"{vendor} {number}", one)
        for vendor, about in case.facts["accelerators"].items()
        for number, one in enumerate(about["devices"])
        if one.get("pcie_width") and one.get("max_pcie_width")
    ]
    if not found:
        return not_applicable("no accelerator tells of its PCIe link")
    narrow = [f"{name} runs {pcie(one)}" for name, one in found if one["pcie_width"] < one["max_pcie_width"]]
    slots = [name for name, one in found if _slot_is_short(one)]
    if narrow:
        why = f" (the slot of {', '.join(slots)} has no more)" if slots else ""
        return warns(f"{'; '.join(narrow)}{why}", "seat the card anew, use a slot with all lanes, look at the riser")
    slow = [f"{name} runs {pcie(one)}" for name, one in found if _at_work(one) and _is_slow(one)]
    if slow:
        return warns("; ".join(slow), "set the slot's generation in the firmware, and look at the riser")
    idle = [name for name, one in found if _is_slow(one)]
    return passes("full width" + (f"; {', '.join(idle)} idle at a lower generation" if idle else " and generation"))


def _slot_is_short(one: dict[str, Any]) -> bool:
    return (one.get("slot_pcie_width") or 99) < one["max_pcie_width"]


def _is_slow(one: dict[str, Any]) -> bool:
    most = min(filter(None, (one.get("max_pcie_generation"), one.get("slot_pcie_generation"))), default=None)
    return bool(most and one.get("pcie_generation") and one["pcie_generation"] < most)


def _at_work(one: dict[str, Any]) -> bool:
    state = one.get("performance_state")
    return (state is not None and state <= _BUSY) or (one.get("utilization_percent") or 0) > 0


def nvlink(case: Case) -> Finding:
    """Every NVLink lane that a GPU has is up."""
    lanes = {one["index"]: one["nvlinks"] for one in case.gpus if one.get("nvlinks")}
    if not lanes:
        return not_applicable("no GPU has NVLink")
    down = {gpu: [link["link"] for link in links if not link["active"]] for gpu, links in lanes.items()}
    down = {gpu: links for gpu, links in down.items() if links}
    if not down:
        return passes(f"{sum(map(len, lanes.values()))} lanes up")
    if all(len(links) == len(lanes[gpu]) for gpu, links in down.items()) and len(down) == len(lanes):
        return warns(
            "all NVLink lanes are down",
            "with NVSwitch, start nvidia-fabricmanager of the driver's version; else seat the bridge",
        )
    names = "; ".join(f"GPU {gpu} lane {', '.join(map(str, links))}" for gpu, links in down.items())
    return warns(
        f"down: {names}", "`nvidia-smi nvlink -e` shows their errors; seat the bridge, or have the GPU looked at"
    )


def mig(case: Case) -> Finding:
    """A GPU cut into instances is for serving: collectives do not run between instances of it."""
    if not case.gpus:
        return not_applicable("no NVIDIA GPU")
    cut = [one for one in case.gpus if one.get("mig")]
    if not cut:
        return passes("no GPU is partitioned")
    empty = [f"GPU {one['index']}" for one in cut if not one.get("mig_instances")]
    if empty:
        return fails(
            f"MIG is on and has no instance: {', '.join(empty)}", "`nvidia-smi mig -cgi 19 -C`, or -mig 0 to end it"
        )
    names = ", ".join(f"GPU {one['index']} in {len(one['mig_instances'])}" for one in cut)
    if case.purpose in ("distributed", "train"):
        return warns(f"partitioned: {names}; nothing sees more than one instance", "`nvidia-smi -i N -mig 0` as root")
    return passes(f"partitioned: {names}")

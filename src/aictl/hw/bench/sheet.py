"""What the data sheet promises, beside what was measured.

A processor's peak is cores × frequency × operations per cycle, where its microarchitecture is known. A
virtual machine often hides the model or the frequency: then the figure is left out, not guessed. An
accelerator's is that of the catalogue which plans are made with.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from aictl.hw import cpu
from aictl.hw.files import read


class Core(NamedTuple):
    """Operations per cycle of one core: multiplications and additions of its vector units. None where
    it has no arithmetic of that format, and so no peak of its own."""

    name: str
    fp32: int
    bf16: int | None = None
    int8: int | None = None


# Vendor, family and models of /proc/cpuinfo to the core. Widths: https://en.wikichip.org for each name and
# AMD's and Intel's optimisation manuals; fused multiply-add counts as two operations. Server parts
# with two 512-bit units for Intel. AMX does 2048 bf16 and 4096 int8 operations per cycle
# (Intel 64 and IA-32 Architectures Optimization Reference Manual, chapter 20).
_ZEN2, _ZEN3 = Core("Zen 2", 32), Core("Zen 3", 32)
_ZEN4, _ZEN5 = Core("Zen 4", 32, 64, 128), Core("Zen 5", 64, 128, 256)
_CORES: list[tuple[str, int, range, Core]] = [
    ("AuthenticAMD", 23, range(0x30, 0xB0), _ZEN2),
    ("AuthenticAMD", 23, range(0x00, 0x30), Core("Zen", 16)),
    ("AuthenticAMD", 25, range(0x10, 0x20), _ZEN4),
    ("AuthenticAMD", 25, range(0x60, 0x80), _ZEN4),
    ("AuthenticAMD", 25, range(0xA0, 0xB0), _ZEN4),
    ("AuthenticAMD", 25, range(0x00, 0x60), _ZEN3),
    ("AuthenticAMD", 26, range(0x00, 0x20), _ZEN5),
    ("GenuineIntel", 6, range(63, 64), Core("Haswell", 32)),
    ("GenuineIntel", 6, range(79, 80), Core("Broadwell", 32)),
    ("GenuineIntel", 6, range(85, 86), Core("Skylake-SP", 64)),
    ("GenuineIntel", 6, range(106, 107), Core("Ice Lake-SP", 64, None, 256)),
    ("GenuineIntel", 6, range(143, 144), Core("Sapphire Rapids", 64, 2048, 4096)),
    ("GenuineIntel", 6, range(207, 208), Core("Emerald Rapids", 64, 2048, 4096)),
    ("GenuineIntel", 6, range(173, 174), Core("Granite Rapids", 64, 2048, 4096)),
]
# What the kernel must show as well for that peak to be in reach: a virtual machine may hide it.
_NEEDS = {"bf16": ("BF16", "AMX_BF16"), "int8": ("VNNI", "AMX_INT8")}
_AMX = 1024  # so many operations per cycle are more than vector units do


def processor(root: Path = Path("/"), threads: int | None = None) -> dict[str, tuple[float, str]]:
    """Peak operations per second of each number format and where that comes from; empty where unknown."""
    lines = (read(root / "proc/cpuinfo") or "").split("\n\n")[0].splitlines()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    core = _core(fields)
    facts = cpu.probe(root)
    mhz, kind = _frequency(facts, fields)
    if core is None or mhz is None:
        return {}
    cores = min(threads or facts["usable_threads"], facts["cores"])
    where = f"{cores} {core.name} cores x {mhz / 1000:.2f} GHz ({kind}) x {{}} operations per cycle"
    found = {"fp32": (core.fp32 * cores * mhz * 1e6, where.format(core.fp32))}
    for name, width in (("bf16", core.bf16), ("int8", core.int8)):
        if width and _NEEDS[name][width > _AMX] in facts["features"]:
            found[name] = (width * cores * mhz * 1e6, where.format(width))
    return found


# What torch calls a GPU to its name in the catalogue of the planner. Form factors differ in their peaks, so that a
# name that leaves it open has no row.
_GPUS = {
    r"V100-SXM\d-32GB": "v100-32gb",
    r"A100-SXM\d-40GB": "a100-40gb",
    r"A100-SXM\d-80GB": "a100-80gb",
    r"A100 80GB PCIe": "a100-80gb-pcie",
    r"H100 80GB HBM3": "h100-80gb",
    r"H100 PCIe": "h100-80gb-pcie",
    r"H200$": "h200",
    r"B200$": "b200",
    r"\bL4$": "l4",
    r"\bL40S$": "l40s",
    r"\bT4$": "t4",
    r"RTX 4090$": "rtx-4090",
    r"MI300X\b": "mi300x",
}


def accelerator(model: str) -> dict[str, tuple[float, str]]:
    """Peak operations per second of a GPU by number format, and ``memory`` in bytes per second; empty where the
    catalogue does not have it."""
    from aictl.planning import catalogue

    key = next((key for pattern, key in _GPUS.items() if re.search(pattern, model)), None)
    if key is None:
        return {}
    known = catalogue.accelerator(key)
    source = f"{known.name}: {known.sources[0]}"
    return {name: (rate, source) for name, rate in {**known.formats, "memory": known.memory_bytes_per_s}.items()}


def _core(fields: dict[str, str]) -> Core | None:
    try:
        family, model = int(fields["cpu family"]), int(fields["model"])
    except (KeyError, ValueError):
        return None
    return next(
        (
            core
            for vendor, known, models, core in _CORES
            if (fields.get("vendor_id"), family) == (vendor, known) and model in models
        ),
        None,
    )


def _frequency(facts: dict[str, Any], fields: dict[str, str]) -> tuple[float | None, str]:
    """The highest clock that the kernel knows, or in a virtual machine the one that it is shown, which is
    mostly the base clock: the real one may boost above it, and the fraction above 1."""
    if facts["max_mhz"]:
        return float(facts["max_mhz"]), "highest clock"
    try:
        return float(fields["cpu MHz"]), "clock shown now; boost not known"
    except (KeyError, ValueError):
        return None, ""


def rows(devices: list[dict[str, Any]], peaks: dict[str, dict[str, tuple[float, str]]]) -> list[dict[str, Any]]:
    """A row for everything that was measured and that a data sheet speaks of. ``peaks`` are by device and by
    what: a number format, or ``memory``. Where nothing is known, so the row says."""
    found = []
    for device in devices:
        known = peaks.get(device["name"], {})
        measured = {**device.get("flops_per_s", {})}
        if device.get("memory_bytes_per_s"):
            measured["memory"] = device["memory_bytes_per_s"]
        for what, value in measured.items():
            promised, source = known.get(what, (None, "unknown"))
            found.append(
                {
                    "device": device["name"],
                    "what": what,
                    "measured": value,
                    "data_sheet": promised,
                    "fraction": value / promised if promised else None,
                    "source": source,
                }
            )
    return found

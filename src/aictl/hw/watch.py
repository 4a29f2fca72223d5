"""What changes from moment to moment: processors, memory, and each accelerator with its processes.

NVML is asked by a process beside us, once for every look. One that hangs is reported as unanswered,
and asked again when it has answered.
"""

from __future__ import annotations

import importlib.util
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aictl.artifacts.quantity import shown, size
from aictl.core.answer import Document, Section, Table
from aictl.hw import accelerators, memory, nvidia
from aictl.hw.files import parse_list, read
from aictl.hw.limited import end, program, python

BAR = 10  # how many cells the bar of a share is long
BAD = ("lost", "unanswered", "not opened")
FIRST_S = 0.5  # how soon the first look comes: shares need two to be told


def watch(interval_s: float, count: int | None, timeout_s: float, root: Path = Path("/")) -> Iterator[Document]:
    """A look every ``interval_s`` seconds, ``count`` of them or until nobody asks any more."""
    nvml = Nvml(timeout_s) if root == Path("/") else None
    before = _times(root)
    due = time.monotonic() + min(FIRST_S, interval_s) - interval_s
    made = 0
    try:
        others = Others(root, timeout_s)
        while count is None or made < count:
            due += interval_s
            time.sleep(max(0.0, due - time.monotonic()))
            now = _times(root)
            yield picture(_sample(root, before, now, [*(nvml.look() if nvml else ()), *others.look()]))
            before, made = now, made + 1
            due = max(due, time.monotonic() - interval_s)  # what was late is not made up for
    finally:
        if nvml:
            nvml.close()


def _sample(root: Path, before: list[int], now: list[int], devices: list[dict[str, Any]]) -> dict[str, Any]:
    sizes = memory.probe(root)
    total, available = sizes["total_bytes"], sizes["available_bytes"]
    return {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "cpu": {
            "utilization_percent": _busy(before, now),
            "load_average": float((read(root / "proc/loadavg") or "0").split()[0]),
            "threads": len(parse_list(read(root / "sys/devices/system/cpu/online"))) or os.cpu_count(),
        },
        "memory": {
            "total_bytes": total,
            "used_bytes": total - available if total is not None and available is not None else None,
            "limit_bytes": sizes["limit_bytes"],
        },
        "accelerators": devices,
    }


def picture(sample: dict[str, Any]) -> Document:
    """A sample for a person, as a row of a table, and as it is."""
    cpu, held = sample["cpu"], sample["memory"]
    share = _share(held["used_bytes"], held["total_bytes"])
    here = {
        "cpu": f"{_bar(cpu['utilization_percent'])}  load {cpu['load_average']:.2f} on {cpu['threads']} threads",
        "memory": f"{_bar(share)}  {size(held['used_bytes'])} of {size(held['total_bytes'])}",
    }
    sections = [Section("machine", here)]
    row: dict[str, Any] = {
        "at": sample["at"],
        "cpu_percent": cpu["utilization_percent"],
        "memory_used_bytes": held["used_bytes"],
    }
    rows, processes = [], []
    for number, one in enumerate(sample["accelerators"]):
        name = f"{one['vendor']} {one.get('index', number)}"
        state, busy = one.get("state"), one.get("utilization_percent")
        rows.append(
            (
                name,
                one.get("name") or one.get("pci_id"),
                state if state in BAD else shown("_percent", busy),
                _cells(busy),
                _of(one.get("memory_used_bytes"), one.get("memory_bytes")),
                shown("_w", one.get("power_draw_w")),
                shown("_c", one.get("temperature_c")),
            )
        )
        for field in ("utilization_percent", "memory_used_bytes", "power_draw_w", "temperature_c"):
            row[f"{name.replace(' ', '')}_{field}"] = one.get(field)
        processes += [
            (each["pid"], name, size(each["memory_bytes"]), each["name"]) for each in one.get("processes") or []
        ]
    if rows:
        columns = ("#", "name", "busy", "", "memory", "power", "temp")
        styles = {"busy": dict.fromkeys(BAD, "red")}
        sections.append(Section("accelerators", Table(columns, rows, styles, cut="name")))
    else:
        sections.append(Section("accelerators", {"all": "absent"}))
    if processes:
        table = Table(("pid", "on", "memory", "process"), processes, cut="process")
        sections.append(Section("processes", table))
    return Document(sample, sections=sections, table=Table(tuple(row), [tuple(row.values())]))


class Others:
    """The accelerators that are not NVIDIA's, as their drivers show them in files."""

    def __init__(self, root: Path, timeout_s: float) -> None:
        self._root, self._timeout_s = root, timeout_s
        self._found: list[dict[str, Any]] | None = None  # what there is no reason to ask for again

    def look(self) -> list[dict[str, Any]]:
        if self._found is not None:
            return self._found
        reply = python("aictl.hw.accelerators", "tell", str(self._root), timeout_s=self._timeout_s).reply()
        if reply.state != "answered":  # what hangs is not asked again: each question would hang beside the last
            self._found = [{"vendor": "others", "state": "unanswered", "note": reply.reason}]
            return self._found
        found = accelerators.devices(accelerators.heard(reply)[0])
        devices = [{"vendor": vendor, **one} for vendor, one in found if vendor != "nvidia"]
        self._found = None if devices else []
        return devices


class Nvml:
    """NVIDIA's library in a process beside us, that answers when it is asked."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._waiting = False  # for an answer that has not come in its time
        self._rows: list[dict[str, Any]] = []
        self._rest = b""
        self._count = 0
        self._process: subprocess.Popen[bytes] | None = None
        if importlib.util.find_spec("pynvml") is not None:
            self._process = subprocess.Popen(
                program("aictl.hw.nvml", "sample"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def look(self) -> list[dict[str, Any]]:
        """Each GPU as it is now; none where there is no driver."""
        process = self._process
        if process is None:
            return []
        assert process.stdin
        if not self._waiting:
            self._rows = []
            try:
                process.stdin.write(b"\n")
                process.stdin.flush()
            except BrokenPipeError:  # it had nothing to say, and has gone
                self.close()
                return []
        self._waiting = not self._read(process)
        late = f"no answer within {self._timeout_s:g} s" if self._waiting else ""
        return [{"vendor": "nvidia", **nvidia.device(self._rows, number, late)} for number in range(self._count)]

    def _read(self, process: subprocess.Popen[bytes]) -> bool:
        """Take in lines until the sample is whole; False if its time is up before that."""
        assert process.stdout
        # A driver that did not answer before is not waited for again: only asked whether it has by now.
        until = time.monotonic() + (0.0 if self._waiting else self._timeout_s)
        while True:
            *whole, self._rest = self._rest.split(b"\n")
            for number, line in enumerate(whole):
                row = json.loads(line)
                self._count = row["system"]["count"] if "system" in row else self._count
                if "sampled" in row:
                    self._rest = b"\n".join([*whole[number + 1 :], self._rest])
                    return True
                self._rows.append(row)
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return False
            said = os.read(process.stdout.fileno(), 1 << 16)
            if not said:  # it has gone: no driver, or no library
                self.close()
                self._count = 0
                return True
            self._rest += said

    def close(self) -> None:
        if self._process is not None:
            end(self._process)
            self._process = None


def _times(root: Path) -> list[int]:
    """The processors' time since the start, by what it was spent on (man 5 proc_stat)."""
    first = (read(root / "proc/stat") or "").partition("\n")[0].split()
    return [int(word) for word in first[1:9] if word.isdigit()]


def _busy(before: list[int], now: list[int]) -> float | None:
    spent = [after - earlier for earlier, after in zip(before, now, strict=False)]
    if len(spent) < 5 or sum(spent) <= 0:
        return None
    idle = spent[3] + spent[4]  # idle, and waiting for a disk
    return round(100 * (1 - idle / sum(spent)), 1)


def _share(part: float | None, whole: float | None) -> float | None:
    return 100 * part / whole if part is not None and whole else None


def _bar(percent: float | None) -> str:
    return "" if percent is None else f"{_cells(percent)} {percent:.0f} %"


def _cells(percent: float | None) -> str:
    if percent is None:
        return ""
    full = round(min(max(percent, 0.0), 100.0) / 100 * BAR)
    return "█" * full + "░" * (BAR - full)


def _of(used: float | None, total: float | None) -> str:
    """Memory as ``20.0/80 GiB``; what is not known is left out."""
    if used is None or total is None:
        return size(total)
    return f"{used / 2**30:.1f}/{total / 2**30:.0f} GiB"

"""The whole probe, of this machine, of others and of none."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest

from aictl.artifacts.probe import Probe
from aictl.cli.report import lines
from aictl.core.errors import Damaged
from aictl.hw.files import read, refusals
from aictl.hw.probe import look, probe

GROUPS = ["cpu", "memory", "limits", "clock", "disks", "accelerators", "interconnect", "network", "software"]


def drawn(made: Probe, width: int = 100) -> list[str]:
    return lines(made.answer().sections, width, colour=False)


def test_this_machine(tmp_path):
    made = probe(tmp_path, place=tmp_path)
    made.check()
    facts = made.facts
    assert list(facts) == [*GROUPS, "not_readable"]
    assert facts["software"]["python"] == platform.python_version()
    assert facts["software"]["packages"]["pydantic"] == metadata.version("pydantic")
    assert facts["disks"]["here"]["path"] == str(tmp_path)
    assert facts["disks"]["here"]["total_bytes"] >= facts["disks"]["here"]["free_bytes"] > 0
    assert facts["limits"]["ulimits"]["open_files"]["soft"] != 0
    assert str(facts["cpu"]["cores"]) in made.summary
    assert made.metrics["disk"]["free_bytes"] == facts["disks"]["here"]["free_bytes"]
    assert all(max(map(len, drawn(made, width))) <= width for width in (80, 120))


def test_a_machine_that_tells_nothing_is_probed_all_the_same(machine, tmp_path):
    made = probe(tmp_path, root=machine({}))
    assert "no accelerator" in made.summary
    assert made.metrics["gpu_memory_bytes"] == 0
    assert "  absent  nvidia, amd, intel, google, other" in drawn(made)


def test_a_server_as_a_person_reads_it(machine, tmp_path):
    said = drawn(probe(tmp_path, root=machine("gpu-server")))
    assert said[0] == "cpu" and "  model         Intel(R) Xeon(R) Platinum 8480+" in said
    assert "  GPU0    X     PIX   SYS   SYS   PIX     SYS     PXB   0     0,2" in said
    assert "  mlx5_1/1   RoCE v2     DOWN    Disabled  100 Gb/sec (4X EDR)  1" in said
    assert "  nvme0n1  NVMe        3.49 TiB  SAMSUNG MZQL23T8HCLS" in said
    assert not any("None" in line for line in said)
    assert "400 Gb/sec" in "\n".join(drawn(Probe(tmp_path), 60))


def test_nvml_and_the_bus_say_together_what_a_gpu_is(machine, nvml):
    pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    script = f"""
import json, sys
from pathlib import Path
from aictl.hw.probe import look
facts = look(Path({str(machine("gpu-server"))!r}), ask=True, timeout_s=30)
print(json.dumps({{name: facts[name] for name in ("accelerators", "interconnect")}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **nvml("falls=3 lane")},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    facts = json.loads(done.stdout)
    first, *_, last = facts["accelerators"]["nvidia"]["devices"]
    assert (first["name"], first["driver"], first["numa_node"]) == ("NVIDIA H100 80GB HBM3", "nvidia", 0)
    assert (first["slot_pcie_width"], first["pci_id"]) == (16, "10de:2330")
    assert (last["state"], last["numa_node"], last["slot_pcie_width"]) == ("lost", 1, 8)
    matrix = facts["interconnect"]["matrix"]
    assert matrix[0][:4] == ["X", "NV3", "SYS", "SYS"]  # one of the four lanes is down
    assert matrix[1][4] == "PIX"


def test_a_driver_that_hangs_in_its_files_is_unanswered_and_the_rest_is_known(machine):
    root = machine("mi300x")
    busy = root / "sys/bus/pci/devices/0000:0c:00.0/gpu_busy_percent"
    busy.unlink()
    os.mkfifo(busy)  # whoever reads it waits for a writer who never comes
    facts = look(root, ask=True, timeout_s=2.0)
    assert {one["state"] for vendor, one in facts["accelerators"].items() if vendor != "nvidia"} == {"unanswered"}
    assert facts["accelerators"]["amd"]["note"] == "no answer within 2 s"
    assert facts["memory"]["total_bytes"] == 2113531904 * 1024


def test_ctrl_c_while_a_driver_hangs_leaves_nobody_behind(nvml, tmp_path):
    pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    mark = f"hangs=0 {tmp_path}"
    process = subprocess.Popen(
        [sys.executable, "-m", "aictl", "hw", "probe", "--timeout-s", "600"],
        env={**os.environ, **nvml(mark)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: len(marked(mark)) >= 2 and settled(mark))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    wait_until(lambda: not marked(mark))
    assert marked(mark) == []


def marked(mark: str) -> list[int]:
    """The processes in whose environment a mark stands."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in environ.read_bytes():
                found.append(int(environ.parent.name))
        except OSError:  # it has ended, or is another user's
            continue
    return found


def settled(mark: str) -> bool:
    """Whether those who answer have done so: what is left is the program and the one that hangs."""
    time.sleep(0.3)
    return len(marked(mark)) == 2


def wait_until(happened) -> None:
    until = time.monotonic() + 30
    while not happened() and time.monotonic() < until:
        time.sleep(0.05)


def test_what_may_not_be_read_is_said_and_the_rest_is_known(machine, tmp_path, monkeypatch):
    root = machine("gpu-server")
    hidden = root / "sys/class/infiniband/mlx5_0/ports/1/rate"
    read_text = Path.read_text

    def refuse(self, *arguments, **words):  # root, who may run the tests, can be refused nothing
        if self == hidden:
            raise PermissionError(13, "Permission denied", str(self))
        return read_text(self, *arguments, **words)

    monkeypatch.setattr(Path, "read_text", refuse)
    made = probe(tmp_path, root=root)
    facts = made.facts
    assert facts["not_readable"] == {str(hidden): "Permission denied"}
    assert (facts["network"]["rdma"][0]["rate"], facts["network"]["rdma"][0]["state"]) == (None, "ACTIVE")
    assert drawn(made)[-1].endswith("Permission denied")
    read(hidden)
    with refusals() as refused:  # noted only while somebody listens
        assert refused == {}


def test_a_broken_probe_is_damaged(tmp_path):
    for text in ("[", "[]"):
        (tmp_path / "probe.json").write_text(text)
        with pytest.raises(Damaged):
            Probe(tmp_path).check()


def test_a_bare_install_probes_and_imports_nothing_heavy(tmp_path):
    script = f"""
import sys
for name in ("psutil", "pynvml", "torch", "numpy", "onnxruntime"):
    sys.modules[name] = None
from pathlib import Path
from aictl.hw.probe import look, probe
facts = probe(Path({str(tmp_path)!r}), place=Path({str(tmp_path)!r}), deep=True).facts
print(facts["accelerators"]["nvidia"]["note"], facts["software"]["torch"])
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert "aictl[hw]" in result.stdout and "{'state': 'absent'}" in result.stdout

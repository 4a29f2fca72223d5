"""The whole probe, of this machine and of none."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from importlib import metadata

import pytest

from aictl.artifacts.probe import Probe
from aictl.core.errors import Damaged
from aictl.hw.probe import probe


def test_this_machine(tmp_path):
    made = probe(tmp_path)
    made.check()
    facts = made.read()
    assert list(facts) == ["cpu", "memory", "disk", "accelerators", "network", "software"]
    assert facts["software"]["python"] == platform.python_version()
    assert facts["software"]["packages"]["pydantic"] == metadata.version("pydantic")
    assert str(facts["cpu"]["cores"]) in made.summary


def test_a_machine_that_tells_nothing_is_probed_all_the_same(machine, tmp_path):
    made = probe(tmp_path, root=machine({}))
    assert "no accelerator" in made.summary
    assert made.metrics["gpu_memory_bytes"] == 0


def test_what_show_prints_is_grouped_and_readable(machine, tmp_path):
    root = machine({"proc/meminfo": "MemTotal: 16777216 kB\n", "sys/class/net/eth0/mtu": "1500"})
    answer = probe(tmp_path, root=root).answer()
    lines = answer.text.splitlines()
    assert lines[0] == "cpu"
    assert "  total                16 GiB" in lines
    assert "    - name eth0, mtu 1500, virtual yes" in lines
    assert "None" not in answer.text
    assert json.loads(json.dumps(answer.value)) == answer.value


def test_a_broken_probe_is_damaged(tmp_path):
    (tmp_path / "probe.json").write_text("[")
    with pytest.raises(Damaged):
        Probe(tmp_path).check()
    (tmp_path / "probe.json").write_text("[]")
    with pytest.raises(Damaged):
        Probe(tmp_path).check()


def test_a_bare_install_probes_and_imports_nothing_heavy(tmp_path):
    script = f"""
import sys
for name in ("psutil", "pynvml", "torch", "numpy"):
    sys.modules[name] = None
from pathlib import Path
from aictl.hw.probe import probe
print(probe(Path({str(tmp_path)!r})).read()["accelerators"]["nvidia"]["note"])
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert "aictl[hw]" in result.stdout

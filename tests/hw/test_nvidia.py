"""NVIDIA's library, stood in for by nvml_stand_in.c: the real binding calls real C."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")

SCRIPT = "import json; from aictl.hw import nvidia; print(json.dumps(nvidia.probe(timeout_s={})))"


@pytest.fixture
def ask(nvml):
    """``nvidia.probe()`` in a process whose loader finds the stand-in first."""

    def run(says="", timeout_s=30):
        result = subprocess.run(
            [sys.executable, "-c", SCRIPT.format(timeout_s)],
            env={**os.environ, **nvml(says)},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return json.loads(result.stdout)

    return run


def test_four_gpus_of_which_one_says_little(ask):
    found = ask()
    assert (found["state"], found["driver"], found["cuda"]) == ("present", "570.86.15", "12.8")
    first, _, cut, old = found["devices"]
    assert (first["name"], first["state"], first["bus"]) == ("NVIDIA H100 80GB HBM3", "present", "0000:03:00.0")
    assert (first["memory_bytes"], first["memory_used_bytes"]) == (80 * 2**30, 20 * 2**30)
    assert (first["compute_capability"], first["power_limit_w"], first["power_draw_w"]) == ("9.0", 700, 121.5)
    assert (first["ecc"], first["ecc_uncorrected"], first["mig"], first["mig_instances"]) == (True, 0, False, [])
    assert (first["pcie_generation"], first["max_pcie_generation"], first["pcie_width"]) == (1, 5, 16)
    assert (first["sm_mhz"], first["max_sm_mhz"], first["performance_state"]) == (345, 1980, 8)
    assert [link["remote"] for link in first["nvlinks"]] == ["0000:05:00.0"] * 4
    assert {link["remote_kind"] for link in cut["nvlinks"]} == {"switch"}
    assert (first["numa_node"], cut["numa_node"]) == (0, 1)
    assert first["peers"] == {"1": "PIX", "2": "SYS", "3": "SYS"} and cut["peers"]["3"] == "NODE"
    assert old["name"] == "Tesla M4" and old["state"] == "present"
    assert old["power_draw_w"] is old["ecc"] is old["mig"] is None
    assert old["unknown"]["ecc"] == "not supported"


def test_a_gpu_cut_into_instances(ask):
    cut = ask()["devices"][2]
    assert cut["mig"] is True
    assert [(one["uuid"], one["gpu_instance"], one["memory_bytes"]) for one in cut["mig_instances"]] == [
        ("MIG-20", 1, 40 * 2**30),
        ("MIG-21", 2, 40 * 2**30),
    ]


def test_what_may_not_be_asked_is_said_of_that_field_alone(ask):
    first = ask("refused=0")["devices"][0]
    assert first["unknown"] == {"max_power_limit_w": "no permission"}
    assert first["power_limit_w"] == 700


def test_a_gpu_off_the_bus_and_one_that_falls_half_way(ask):
    gone = ask("lost=3")["devices"][3]
    assert (gone["state"], gone["note"], gone["name"]) == ("lost", "fallen off the bus", None)
    falls = ask("falls=0")["devices"]
    assert (falls[0]["state"], falls[0]["name"]) == ("lost", "NVIDIA H100 80GB HBM3")
    assert "power_limit_w" not in falls[0]
    assert [one["state"] for one in falls[1:]] == ["present"] * 3


def test_one_gpu_that_hangs_leaves_what_it_said_before_and_the_others_whole(ask):
    found = ask("hang=1", timeout_s=2)
    assert found["state"] == "unanswered" and found["driver"] == "570.86.15"
    assert [one["state"] for one in found["devices"]] == ["present", "unanswered", "present", "present"]
    hung = found["devices"][1]
    assert hung["memory_bytes"] == 80 * 2**30 and "power_draw_w" not in hung
    assert hung["note"] == "no answer within 2 s, after utilization_percent"


def test_a_gpu_of_which_nothing_is_told(ask):
    hung = ask("hangs=2", timeout_s=2)["devices"][2]
    assert (hung["state"], hung["note"]) == ("unanswered", "no answer within 2 s")


def test_a_driver_without_a_gpu_is_absent(ask):
    found = ask("count=0")
    assert (found["state"], found["devices"]) == ("absent", [])


def test_a_driver_that_does_not_start_is_a_note(ask):
    assert set(ask("init=9")) == {"note"}


def test_without_the_binding_there_is_a_note_with_the_install_line(monkeypatch):
    from aictl.hw import nvidia

    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert "aictl[hw]" in nvidia.probe()["note"]

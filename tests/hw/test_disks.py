"""Disks, mounts, and file servers that do not answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aictl.hw import disks
from aictl.hw.limited import Reply


def test_what_lies_below_each_mount(machine):
    found = {one["mount"]: one for one in disks.mounted(machine("gpu-server"))}
    assert {point: one["kind"] for point, one in found.items()} == {
        "/": "NVMe",
        "/dev/shm": "memory",
        "/mnt/cold store": "rotational",
        "/mnt/shared": "remote",
    }
    assert found["/mnt/cold store"]["read_only"] and not found["/"]["read_only"]


def test_block_devices(machine):
    found = disks.probe(machine("gpu-server"), Path("/"), None)["devices"]
    assert [(one["name"], one["kind"], one["model"]) for one in found] == [
        ("sda", "rotational", "ST20000NM007D"),
        ("nvme0n1", "NVMe", "SAMSUNG MZQL23T8HCLS"),
    ]
    assert found[1]["size_bytes"] == 7501476528 * 512


def test_a_volume_is_of_the_kind_of_what_it_stands_on(machine):
    root = machine(
        {
            "sys/devices/a/sda/queue/rotational": "0",
            "sys/devices/a/sdb/queue/rotational": "1",
            "sys/devices/virtual/dm-0/queue/rotational": "0",
            "sys/devices/virtual/dm-0/slaves/none": "",
        }
    )
    volume = root / "sys/devices/virtual/dm-0"
    (volume / "slaves/none").unlink()
    (volume / "slaves/sda").symlink_to(root / "sys/devices/a/sda")
    assert disks.device_kind(volume) == "SSD"
    (volume / "slaves/sdb").symlink_to(root / "sys/devices/a/sdb")
    assert disks.device_kind(volume) == "several kinds"


def test_the_deepest_mount_holds_a_folder(machine):
    said = json.dumps({"point": "/mnt/cold store/x", "total_bytes": 9, "free_bytes": 4})
    found = disks.probe(machine("gpu-server"), Path("/mnt/cold store/x"), Reply("answered", said))["here"]
    assert (found["filesystem"], found["kind"], found["free_bytes"]) == ("xfs", "rotational", 4)
    assert disks.probe(machine("gpu-server"), Path("/mnt/colder"), None)["here"]["filesystem"] == "ext4"


def test_a_server_that_is_gone_is_unanswered_and_the_others_are_known(machine):
    said = json.dumps({"point": "/", "total_bytes": 9, "free_bytes": 4}) + '\n{"point": "/dev/sh'
    reply = Reply("unanswered", said, "no answer within 2 s")
    found = {one["mount"]: one for one in disks.probe(machine("gpu-server"), Path("/"), reply)["mounts"]}
    assert found["/"]["free_bytes"] == 4 and "state" not in found["/"]
    assert (found["/mnt/shared"]["state"], found["/mnt/shared"]["free_bytes"]) == ("unanswered", None)


def test_space_is_told_of_each_path(tmp_path):
    reply = disks.ask_space([str(tmp_path), str(tmp_path / "none")], timeout_s=60).reply()
    rows = {row["point"]: row for row in map(json.loads, reply.said.splitlines())}
    assert rows[str(tmp_path)]["total_bytes"] >= rows[str(tmp_path)]["free_bytes"] >= 0
    assert rows[str(tmp_path / "none")]["unknown"] == "No such file or directory"


@pytest.mark.parametrize("line", ["", "short", "25 1 0:27 / / rw - proc proc rw", "a b c - "])
def test_lines_that_tell_of_no_mount(machine, line):
    assert disks.mounted(machine({"proc/self/mountinfo": line + "\n"})) == []

"""What sits on the bus, with and without a driver."""

from __future__ import annotations

from aictl.hw import accelerators

BUS = "sys/bus/pci/devices"


def device(bus, vendor, kind, **more):
    files = {"vendor": vendor, "class": kind, "device": "0x1234", "numa_node": "1", **more}
    return {f"{BUS}/{bus}/{name}": text + "\n" for name, text in files.items()}


def test_nothing_there_is_absent_and_no_error(machine):
    found = accelerators.probe(machine({}))
    assert {vendor: one["state"] for vendor, one in found.items()} == dict.fromkeys(
        ("nvidia", "amd", "intel", "google"), "absent"
    )


def test_a_card_with_a_driver_one_without_and_what_is_no_accelerator(machine):
    root = machine(
        {
            **device("0000:01:00.0", "0x1002", "0x038000", mem_info_vram_total="17163091968"),
            **device(
                "0000:02:00.0", "0x10de", "0x030200", current_link_speed="16.0 GT/s PCIe", current_link_width="16"
            ),
            **device("0000:03:00.0", "0x8086", "0x020000"),
            "sys/bus/pci/drivers/amdgpu/bind": "",
            "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Thu\nGCC",
        }
    )
    (root / BUS / "0000:01:00.0" / "driver").symlink_to(root / "sys/bus/pci/drivers/amdgpu")
    found = accelerators.probe(root)
    assert found["amd"]["state"] == "present"
    (amd,) = found["amd"]["devices"]
    assert (amd["driver"], amd["memory_bytes"], amd["numa_node"]) == ("amdgpu", 17163091968, 1)
    assert found["nvidia"]["state"] == "without driver"
    assert found["nvidia"]["devices"][0]["link"] == "16.0 GT/s PCIe x16"
    assert found["nvidia"]["driver"] == "570.86.15"
    assert found["intel"]["state"] == "absent"


def test_a_tpu_shows_as_a_device_node(machine):
    found = accelerators.probe(machine({"dev/accel0": "", "dev/accel1": ""}))
    assert found["google"] == {"state": "present", "devices": [{"name": "accel0"}, {"name": "accel1"}]}

"""What sits on the bus, with and without a driver."""

from __future__ import annotations

from aictl.hw import accelerators

BUS = "sys/bus/pci/devices"
VENDORS = ("nvidia", "amd", "intel", "google", "other")


def device(bus, vendor, kind, **more):
    files = {"vendor": vendor, "class": kind, "device": "0x1234", "numa_node": "1", **more}
    return {f"{BUS}/{bus}/{name}": text + "\n" for name, text in files.items()}


def test_nothing_there_is_absent_and_no_error(machine):
    found = accelerators.probe(machine({}))
    assert {vendor: one["state"] for vendor, one in found.items()} == dict.fromkeys(VENDORS, "absent")


def test_a_card_with_a_driver_one_without_and_what_is_no_accelerator(machine):
    root = machine(
        {
            **device("0000:01:00.0", "0x8086", "0x038000"),
            **device("0000:02:00.0", "0x10de", "0x030200", current_link_speed="16.0 GT/s PCIe", current_link_width="8"),
            **device("0000:03:00.0", "0x8086", "0x020000"),
            f"{BUS}/0000:01:00.0/drm/card0/lmem_total_bytes": "17163091968",
            "sys/bus/pci/drivers/xe/bind": "",
            "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Thu\nGCC",
        }
    )
    (root / BUS / "0000:01:00.0" / "driver").symlink_to(root / "sys/bus/pci/drivers/xe")
    found = accelerators.probe(root)
    assert found["intel"]["state"] == "present"
    (intel,) = found["intel"]["devices"]
    assert (intel["driver"], intel["memory_bytes"], intel["numa_node"]) == ("xe", 17163091968, 1)
    assert found["nvidia"]["state"] == "without driver"
    nvidia = found["nvidia"]["devices"][0]
    assert (nvidia["pcie_generation"], nvidia["pcie_width"], nvidia["max_pcie_width"]) == (4, 8, None)
    assert found["nvidia"]["driver"] == "570.86.15"


def test_amd_gpus_as_their_driver_shows_them(machine):
    found = accelerators.probe(machine("mi300x"))["amd"]
    assert (found["state"], found["driver"], found["rocm"]) == ("present", "6.12.12", "6.4.1")
    first, second = found["devices"]
    assert (first["name"], first["memory_bytes"]) == ("AMD Instinct MI300X OAM", 206141652992)
    assert (first["power_draw_w"], first["power_limit_w"], first["temperature_c"]) == (133, 750, 36)
    assert (first["utilization_percent"], first["sm_mhz"], first["max_sm_mhz"]) == (12, 132, 2100)
    assert (first["pcie_width"], first["max_pcie_width"], first["slot_pcie_width"]) == (8, 16, 16)
    assert (first["compute_partition"], first["ecc_uncorrected"]) == ("SPX", 0)
    assert first["nodes"] == ["/dev/dri/renderD128"]
    assert second["name"] == "Aqua Vanjaram [Instinct MI300X]"  # as the list of PCI ids has it
    assert second["memory_bytes"] is second["power_limit_w"] is None


def test_tpus_behind_vfio_and_google_s_network_card(machine):
    found = accelerators.probe(machine("tpu-v5e"))["google"]
    assert found["state"] == "present"
    assert [(one["name"], one["driver"], one["nodes"]) for one in found["devices"]] == [
        ("TPU v5e", "vfio-pci", ["/dev/vfio/0"]),
        ("TPU v5e", "vfio-pci", ["/dev/vfio/1"]),
    ]


def test_tpus_that_share_an_id_are_told_apart_by_their_subsystem(machine):
    root = machine(device("0000:00:04.0", "0x1ae0", "0xff0000", device="0x0027", subsystem_device="0x004f"))
    found = accelerators.probe(root)["google"]
    assert (found["state"], found["devices"][0]["name"]) == ("without driver", "TPU v3")


def test_a_tpu_shows_as_a_device_node_where_the_bus_is_hidden(machine):
    found = accelerators.probe(machine({"dev/accel0": "", "dev/accel1": ""}))
    assert found["google"] == {
        "state": "present",
        "devices": [{"name": "accel0", "nodes": ["/dev/accel0"]}, {"name": "accel1", "nodes": ["/dev/accel1"]}],
    }


def test_other_makers_are_known_by_their_class_or_their_ids(machine):
    root = machine(
        {
            **device("0000:01:00.0", "0x1da3", "0x120000"),
            **device("0000:02:00.0", "0x1d0f", "0x088000", device="0x7164"),
            **device("0000:03:00.0", "0x1d0f", "0x020000", device="0xec20"),
            f"{BUS}/0000:01:00.0/accel/accel0/dev": "261:0",
            "dev/accel/accel0": "",
        }
    )
    found = accelerators.probe(root)
    assert [one["vendor"] for one in found["other"]["devices"]] == ["Intel Habana", "AWS Neuron"]
    assert found["other"]["devices"][0]["nodes"] == ["/dev/accel/accel0"]
    assert found["google"]["state"] == "absent"


def test_what_the_bus_has_and_nvml_does_not_see(machine):
    root = machine("gpu-server")
    nvml = {"state": "present", "driver": "570", "cuda": "12.8", "devices": [{"index": 0, "bus": "0000:03:00.0"}]}
    found = accelerators.with_nvml(accelerators.probe(root), nvml)["nvidia"]
    states = {one["bus"]: one.get("state") for one in found["devices"]}
    assert states.pop("0000:03:00.0") is None
    assert set(states.values()) == {"not seen by NVML"} and len(states) == 3
    silent = accelerators.with_nvml(accelerators.probe(root), {"state": "unanswered", "devices": []})["nvidia"]
    assert {one["state"] for one in silent["devices"]} == {"unanswered"}

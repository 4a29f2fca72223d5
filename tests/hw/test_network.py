"""Network interfaces and RDMA devices."""

from __future__ import annotations

from aictl.hw import network


def test_interfaces_and_rdma(machine):
    net, rdma = "sys/class/net", "sys/class/infiniband/mlx5_0/ports/1"
    root = machine(
        {
            f"{net}/lo/mtu": "65536",
            f"{net}/lo/operstate": "unknown",
            f"{net}/eth0/mtu": "9000",
            f"{net}/eth0/operstate": "up",
            f"{net}/eth0/speed": "100000",
            f"{net}/eth0/device/vendor": "0x15b3",
            f"{net}/wifi0/mtu": "1500",
            f"{net}/wifi0/speed": "-1",
            f"{net}/bonding_masters": "",
            f"{rdma}/state": "4: ACTIVE",
            f"{rdma}/rate": "400 Gb/sec (4X NDR)",
            f"{rdma}/link_layer": "InfiniBand",
        }
    )
    facts = network.probe(root)
    by_name = {one["name"]: one for one in facts["interfaces"]}
    assert set(by_name) == {"lo", "eth0", "wifi0"}
    assert (by_name["eth0"]["speed_mbit"], by_name["eth0"]["virtual"]) == (100000, False)
    assert (by_name["lo"]["speed_mbit"], by_name["lo"]["virtual"]) == (None, True)
    assert by_name["wifi0"]["speed_mbit"] is None
    (port,) = facts["rdma"]
    assert (port["device"], port["port"], port["kind"]) == ("mlx5_0", "1", "InfiniBand")
    assert (port["state"], port["rate_gbit"], port["bus"]) == ("ACTIVE", 400, None)


def test_infiniband_and_a_roce_port_that_is_down(machine):
    facts = network.probe(machine("gpu-server"))
    first, second = facts["rdma"]
    assert (first["kind"], first["state"], first["rate_gbit"], first["numa_node"]) == ("InfiniBand", "ACTIVE", 400, 0)
    assert (second["kind"], second["state"], second["physical_state"]) == ("RoCE v2", "DOWN", "Disabled")
    assert (second["interfaces"], second["bus"], second["firmware"]) == (["eth1"], "0000:83:00.0", "28.39.1002")
    assert facts["direct"]["nvidia_peermem"]["state"] == "loaded"
    assert facts["direct"]["gdrdrv"]["state"] == "absent"
    by_name = {one["name"]: one for one in facts["interfaces"]}
    assert (by_name["eth1"]["driver"], by_name["eth1"]["bus"]) == ("mlx5_core", "0000:83:00.0")


def test_nothing_there(machine):
    facts = network.probe(machine({}))
    assert (facts["interfaces"], facts["rdma"]) == ([], [])
    assert {one["state"] for one in facts["direct"].values()} == {"absent"}

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
    assert facts["rdma"] == [
        {"device": "mlx5_0", "port": "1", "state": "ACTIVE", "rate": "400 Gb/sec (4X NDR)", "link_layer": "InfiniBand"}
    ]


def test_nothing_there(machine):
    assert network.probe(machine({})) == {"interfaces": [], "rdma": []}

"""The matrix between accelerators and network cards, from paths of the bus and links of the makers."""

from __future__ import annotations

from aictl.hw import accelerators, network, topology


def between(root, nvml=None):
    """``{(row, column): word}`` of a machine."""
    found = topology.probe(root, accelerators.with_nvml(accelerators.probe(root), nvml or {}), network.probe(root))
    names = [one["name"] for one in found["devices"]]
    matrix = zip(names, found["matrix"], strict=True)
    return found, {(row, column): word for row, words in matrix for column, word in zip(names, words, strict=True)}


def test_switches_host_bridges_and_sockets(machine):
    found, words = between(machine("gpu-server"))
    assert words["GPU0", "GPU0"] == "X"
    assert words["GPU0", "mlx5_0"] == words["mlx5_0", "GPU1"] == words["GPU0", "GPU1"] == "PIX"
    assert words["GPU0", "eth0"] == words["eth0", "GPU0"] == "PXB"
    assert words["GPU2", "mlx5_1"] == "PHB"
    assert words["GPU2", "GPU3"] == "NODE"
    assert words["GPU0", "GPU2"] == words["mlx5_0", "mlx5_1"] == "SYS"
    assert [(one["name"], one["numa_node"], one["cpus"]) for one in found["devices"]][2] == ("GPU2", 1, "1,3")
    assert set(found["legend"]) == {"X", "PIX", "PXB", "PHB", "NODE", "SYS"}


def test_nvlink_lanes_to_a_gpu_and_to_a_switch(machine):
    def lane(remote, kind, active=True):
        return {"active": active, "remote": remote, "remote_kind": kind}

    buses = ("0000:03:00.0", "0000:05:00.0", "0000:81:00.0", "0000:a1:00.0")
    links = [
        [lane(buses[1], "gpu"), lane(buses[1], "gpu"), lane(None, None, active=False)],
        [lane(buses[0], "gpu"), lane(buses[0], "gpu")],
        [lane("0000:c0:00.0", "switch")] * 3,
        [lane("0000:c0:00.0", "switch")] * 2,
    ]
    devices = [
        {"index": number, "bus": bus, "nvlinks": one}
        for number, (bus, one) in enumerate(zip(buses, links, strict=True))
    ]
    found, words = between(machine("gpu-server"), {"state": "present", "devices": devices})
    assert words["GPU0", "GPU1"] == words["GPU1", "GPU0"] == "NV2"
    assert words["GPU2", "GPU3"] == words["GPU3", "GPU2"] == "NV2"
    assert words["GPU0", "GPU2"] == "SYS"
    assert "NV#" in found["legend"]


def test_infinity_fabric(machine):
    _, words = between(machine("mi300x"))
    assert words["AMD0", "AMD1"] == words["AMD1", "AMD0"] == "XGMI"


def test_a_bus_that_is_hidden_tells_nothing(machine):
    devices = [{"index": 0, "bus": "0000:03:00.0"}, {"index": 1, "bus": "0000:05:00.0"}]
    _, words = between(machine({}), {"state": "present", "devices": devices})
    assert words["GPU0", "GPU1"] == "?"


def test_where_the_bus_is_hidden_the_driver_s_word_is_taken(machine):
    devices = [
        {"index": 0, "bus": "0000:03:00.0", "peers": {"1": "PHB"}, "numa_node": 1},
        {"index": 1, "bus": "0000:05:00.0", "peers": {"0": "PHB"}},
    ]
    found, words = between(machine({}), {"state": "present", "devices": devices})
    assert words["GPU0", "GPU1"] == words["GPU1", "GPU0"] == "PHB"
    assert [one["numa_node"] for one in found["devices"]] == [1, None]


def test_nothing_there(machine):
    assert between(machine({}))[0] == {"devices": [], "matrix": [], "legend": {}}

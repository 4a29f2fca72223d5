"""A machine as benched becomes an accelerator, from its own figures alone."""

from __future__ import annotations

import json

import pytest

from aictl.core.errors import BadInput
from aictl.planning.benched import benched
from aictl.planning.kernels import Kernels
from aictl.planning.layout import Recipe
from aictl.planning.search import search
from aictl.planning.shape import Shape

MACHINE = {
    "machine": {"cpu_model": "A Processor", "threads": 2, "memory_bytes": 16e9, "accelerators": []},
    "devices": [
        {
            "name": "cpu",
            "memory_bytes": 16e9,
            "memory_bytes_per_s": 20e9,
            "flops_per_s": {"fp32": 80e9, "bf16": 300e9},
            "gemm": [
                {"dtype": "fp32", "m": 64, "n": 64, "k": 64, "flops_per_s": 20e9},
                {"dtype": "fp32", "m": 1024, "n": 1024, "k": 1024, "flops_per_s": 80e9},
                {"dtype": "bf16", "m": 64, "n": 64, "k": 64, "flops_per_s": 10e9},
                {"dtype": "bf16", "m": 1024, "n": 1024, "k": 1024, "flops_per_s": 300e9},
            ],
            "bandwidth": [],
            "operator_overhead_s": 5e-6,
            "copies": [],
        }
    ],
    "disk": [],
    "collectives": [
        {"operation": "all_reduce", "backend": "gloo", "ranks": 2, "bytes": 4096, "bus_bytes_per_s": 1e6},
        {"operation": "all_reduce", "backend": "gloo", "ranks": 2, "bytes": 2**26, "bus_bytes_per_s": 2e9},
    ],
    "data_sheet": [],
}
SMALL = Shape(4, 256, 4, 4096, 2, 64, 768, gated=True)


def test_the_figures_are_those_that_were_measured():
    chip, count = benched(MACHINE, "benchmark.json")
    assert (chip.key, chip.name, count) == ("here", "A Processor", 1)
    assert chip.formats == {"fp32": 80e9, "bf16": 300e9}
    assert chip.link.bytes_per_s == 2e9
    kernels = Kernels.of(chip, "fp32")
    assert kernels.move(20e9) == pytest.approx(1.0)
    assert kernels.product(1024, 1024, 1024) == pytest.approx(5e-6 + 2 * 1024**3 / 80e9)
    assert kernels.product(64, 64, 64) == pytest.approx(5e-6 + 2 * 64**3 / 20e9)
    between = 2 * 256**3 / (kernels.product(256, 256, 256) - 5e-6)
    assert between == pytest.approx(40e9)  # halfway on logarithmic axes


def test_gpus_come_before_the_processor():
    gpu = MACHINE["devices"][0] | {"name": "cuda:0", "memory_bytes": 24e9}
    two = MACHINE | {"devices": [*MACHINE["devices"], gpu, gpu | {"name": "cuda:1"}]}
    two["machine"] = MACHINE["machine"] | {"accelerators": [{"name": "A Card"}, {"name": "A Card"}]}
    chip, count = benched(two, "benchmark.json")
    assert (chip.name, chip.memory_bytes, count, chip.per_node) == ("A Card", 24e9, 2, 2)


def test_a_plan_of_it_takes_longer_where_it_is_slower():
    chip, _ = benched(MACHINE, "benchmark.json")
    slow = json.loads(json.dumps(MACHINE))
    for row in slow["devices"][0]["gemm"]:
        row["flops_per_s"] /= 4
    slower, _ = benched(slow, "benchmark.json")
    recipe = Recipe(256, 8, precision="fp32")
    times = [search(SMALL, recipe, one, 1).fitting[0].step.total for one in (chip, slower)]
    assert times[1] > 2 * times[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"devices": []}, "measured no devices"),
        ({"devices": None}, "measured no devices"),
        ({"devices": ["cpu"]}, "devices is no list of objects"),
        ({"machine": ["cpu"]}, r"machine is \['cpu'\]"),
        ({"collectives": 7}, "collectives is no list of objects"),
        ({"collectives": [{"operation": "all_reduce", "bytes": 4096}]}, "collectives.bus_bytes_per_s is None"),
        ({"devices": [MACHINE["devices"][0] | {"flops_per_s": {"fp7": 1e9}}]}, "flops_per_s of none of"),
        ({"devices": [MACHINE["devices"][0] | {"gemm": [{"dtype": "fp32"}]}]}, "gemm.m is None"),
        ({"devices": [MACHINE["devices"][0] | {"operator_overhead_s": "long"}]}, "operator_overhead_s is 'long'"),
        ({"devices": [MACHINE["devices"][0] | {"runtime_bytes": []}]}, r"runtime_bytes is \[\]"),
        ({"devices": [{"name": "cpu"}]}, "has no flops_per_s"),
        ({"devices": [{"name": "cpu", "flops_per_s": {"fp32": -1}}]}, "flops_per_s.fp32 is -1"),
        (
            {"devices": [{"name": "cpu", "flops_per_s": {"fp32": 1e9}, "memory_bytes": "much"}]},
            "memory_bytes is 'much'",
        ),
    ],
)
def test_what_is_no_benchmark_is_named(change, said):
    with pytest.raises(BadInput, match=said):
        benched(MACHINE | change, "benchmark.json")

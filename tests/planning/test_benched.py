"""A machine as benched becomes an accelerator, from its own figures alone."""

from __future__ import annotations

import json

import pytest

from aictl.core.errors import BadInput
from aictl.planning.benched import benched
from aictl.planning.constants import SHIPPED
from aictl.planning.kernels import Kernels
from aictl.planning.layout import Recipe
from aictl.planning.search import search
from aictl.planning.serving import Service
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
            "attention": [
                {"dtype": "bf16", "pass": its, "sequence_length": length, "flops_per_s": rate * length}
                for its, rate in (("forward", 1e8), ("backward", 2e8))
                for length in (128, 512)
            ],
            "cross_entropy": [
                {"dtype": "bf16", "tokens": tokens, "vocabulary": 1000, "logits_per_s": rate}
                for tokens, rate in ((10, 8e8), (1000, 2e8))
            ],
            "runtime_bytes": {"torch": 400e6, "onnxruntime": 90e6},
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


def test_attention_and_the_loss_are_read_from_their_curves():
    chip, _ = benched(MACHINE, "benchmark.json")
    kernels = Kernels.of(chip, "bf16")
    forward, backward = kernels.fused_attention("flash2", 1e9, 512)
    assert (forward, backward) == pytest.approx((1e9 / 51.2e9, 2.5e9 / 102.4e9))
    assert kernels.fused_attention("flash2", 1e9, 256)[0] == pytest.approx(1e9 / 25.6e9)
    assert kernels.loss(1e6) == pytest.approx(1e6 / 2e8)
    assert kernels.loss(1e5) == pytest.approx(1e5 / 4e8)  # halfway on logarithmic axes
    assert kernels.loss(1e3) == kernels.loss(1e4)  # no call is shorter than the shortest
    other = Kernels.of(chip, "fp32")  # of which neither was measured
    assert other.fused_attention("flash2", 80e9, 512) == pytest.approx((1.0, 2.5), rel=1e-4)
    assert other.loss(20e9 / SHIPPED.logits_traffic_bytes) == pytest.approx(1.0)


def test_a_service_takes_the_memory_of_its_runtime_and_of_its_weights_as_stored():
    chip, _ = benched(MACHINE, "benchmark.json")
    tokenizer = SHIPPED.tokenizer_bytes * SMALL.vocabulary
    torch, runtime = (Service.of(SMALL, chip, runtime=one) for one in ("torch", "onnxruntime"))
    assert torch.reserved_bytes == 400e6 + tokenizer
    assert runtime.reserved_bytes == 90e6 + tokenizer
    eight, four = (Service.of(SMALL, chip, weights=one, stored_bytes=4e6) for one in ("int8", "int4"))
    assert eight.weights_total_bytes == SHIPPED.packed_weights * 4e6  # packed for a processor
    assert four.weights_total_bytes == eight.weights_total_bytes
    unknown = Service.of(SMALL, chip, runtime="another")
    assert unknown.reserved_bytes == 0.1 * 16e9


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
        ({"devices": [MACHINE["devices"][0] | {"gemm": [{"dtype": "fp32"}]}]}, "gemm: m is None"),
        ({"devices": [MACHINE["devices"][0] | {"operator_overhead_s": "long"}]}, "operator_overhead_s is 'long'"),
        ({"devices": [MACHINE["devices"][0] | {"runtime_bytes": 4e8}]}, r"runtime_bytes is 400000000.0"),
        ({"devices": [MACHINE["devices"][0] | {"runtime_bytes": {"torch": -1}}]}, r"runtime_bytes.torch is -1"),
        (
            {"devices": [MACHINE["devices"][0] | {"attention": [{"pass": "forward", "sequence_length": 0}]}]},
            "attention: sequence_length is 0",
        ),
        (
            {"devices": [MACHINE["devices"][0] | {"cross_entropy": [{"tokens": 8, "vocabulary": 8}]}]},
            "cross_entropy: logits_per_s is None",
        ),
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
